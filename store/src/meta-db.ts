import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TidemarkError } from '@tidemark/core';

export type MetaDb = DatabaseSync;

// Each entry brings the schema from its index to the next version; entries never change once released.
const migrations = [
  `CREATE TABLE users (name TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL, created_ns INTEGER NOT NULL) STRICT;
   CREATE TABLE tokens (name TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, created_ns INTEGER NOT NULL) STRICT;
   CREATE TABLE quarantine (
     id INTEGER PRIMARY KEY,
     spool_offset INTEGER NOT NULL,
     item INTEGER NOT NULL,
     time_ns INTEGER NOT NULL,
     source TEXT NOT NULL,
     topic TEXT NOT NULL,
     reason TEXT NOT NULL,
     detail TEXT NOT NULL,
     payload BLOB NOT NULL,
     sensor TEXT,
     UNIQUE (spool_offset, item)
   ) STRICT;`,
  `CREATE TABLE locations (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     latitude REAL,
     longitude REAL,
     parent TEXT,
     is_self_registered INTEGER NOT NULL,
     created_ns INTEGER NOT NULL,
     updated_ns INTEGER NOT NULL,
     version INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE sensors (
     id TEXT PRIMARY KEY,
     kind TEXT,
     metrics TEXT NOT NULL,
     stays TEXT NOT NULL,
     reported_location TEXT,
     former_ids TEXT NOT NULL,
     expected_interval_ms INTEGER,
     owner TEXT,
     labels TEXT NOT NULL,
     state TEXT NOT NULL,
     time_from TEXT NOT NULL,
     is_self_registered INTEGER NOT NULL,
     created_ns INTEGER NOT NULL,
     updated_ns INTEGER NOT NULL,
     version INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  // Ids are never used twice, since people name items by them. Each index holds what filters ask for, so that rows,
  // with their payloads, are read only to be shown.
  `CREATE TABLE quarantine_taken (stream TEXT PRIMARY KEY, spool_offset INTEGER NOT NULL) STRICT;
   INSERT INTO quarantine_taken
     SELECT iif(item = 0, 'log', 'store'), max(spool_offset) FROM quarantine GROUP BY 1;
   ALTER TABLE quarantine RENAME TO quarantine_before;
   CREATE TABLE quarantine (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     time_ns INTEGER NOT NULL,
     source TEXT NOT NULL,
     topic TEXT NOT NULL,
     reason TEXT NOT NULL,
     detail TEXT NOT NULL,
     sensor TEXT,
     payload BLOB NOT NULL
   ) STRICT;
   INSERT INTO quarantine
     SELECT id, time_ns, source, topic, reason, detail, sensor, payload FROM quarantine_before;
   DROP TABLE quarantine_before;
   CREATE INDEX quarantine_by_time ON quarantine (time_ns);
   CREATE INDEX quarantine_by_source ON quarantine (source, time_ns);
   CREATE INDEX quarantine_by_reason ON quarantine (reason, time_ns, source);
   CREATE INDEX quarantine_by_sensor ON quarantine (sensor, time_ns, reason, source);
   CREATE INDEX quarantine_by_topic ON quarantine (topic, time_ns, reason, source);
   CREATE TABLE quarantine_evicted (bound TEXT PRIMARY KEY, items INTEGER NOT NULL) STRICT;
   CREATE TABLE audit (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     time_ns INTEGER NOT NULL,
     actor TEXT NOT NULL,
     action TEXT NOT NULL,
     target TEXT NOT NULL,
     counts TEXT NOT NULL,
     note TEXT
   ) STRICT;
   CREATE INDEX audit_by_action ON audit (action);`,
  'CREATE TABLE sensor_renames (from_id TEXT PRIMARY KEY, to_id TEXT NOT NULL UNIQUE) STRICT, WITHOUT ROWID;',
  `CREATE TABLE failure_counts (
     measurement TEXT NOT NULL,
     minute INTEGER NOT NULL,
     subject TEXT NOT NULL,
     cause TEXT NOT NULL,
     count INTEGER NOT NULL,
     is_written INTEGER NOT NULL,
     PRIMARY KEY (measurement, minute, subject, cause)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX failure_counts_unwritten ON failure_counts (minute) WHERE is_written = 0;
   CREATE TABLE quality_progress (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     spool_offset INTEGER NOT NULL,
     saved_ns INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE recent_failures (
     sensor TEXT PRIMARY KEY,
     failures TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE incidents (
     id TEXT PRIMARY KEY,
     kind TEXT NOT NULL,
     subject TEXT NOT NULL,
     state TEXT NOT NULL,
     message TEXT NOT NULL,
     time_ns INTEGER NOT NULL,
     is_told INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `ALTER TABLE sensor_renames ADD COLUMN actor TEXT NOT NULL DEFAULT 'local';
   ALTER TABLE sensor_renames ADD COLUMN note TEXT;`,
  'CREATE TABLE downsample_dirty (every TEXT PRIMARY KEY, ranges TEXT NOT NULL) STRICT, WITHOUT ROWID;',
  // A transition is numbered once and for all: those who tell it go on behind the number they told last.
  `CREATE TABLE rules (
     id TEXT PRIMARY KEY,
     document TEXT NOT NULL,
     created_ns INTEGER NOT NULL,
     updated_ns INTEGER NOT NULL,
     version INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE alert_progress (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     spool_offset INTEGER NOT NULL,
     ran_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE alert_series (
     rule TEXT NOT NULL,
     sensor TEXT NOT NULL,
     state TEXT NOT NULL,
     PRIMARY KEY (rule, sensor)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE alert_transitions (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     key TEXT NOT NULL UNIQUE,
     rule TEXT NOT NULL,
     sensor TEXT NOT NULL,
     metric TEXT,
     state TEXT NOT NULL,
     value REAL,
     since_ns INTEGER NOT NULL,
     time_ns INTEGER NOT NULL,
     recorded_ns INTEGER NOT NULL,
     severity TEXT NOT NULL,
     message TEXT NOT NULL,
     actor TEXT,
     comment TEXT,
     is_current INTEGER NOT NULL,
     notifies INTEGER NOT NULL,
     notify TEXT NOT NULL
   ) STRICT;
   CREATE INDEX alert_transitions_by_rule ON alert_transitions (rule, number);
   CREATE INDEX alert_transitions_by_sensor ON alert_transitions (sensor, number);
   CREATE TABLE alert_readers (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE alert_silences (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     rule TEXT,
     sensor TEXT,
     severity TEXT,
     until_ns INTEGER NOT NULL,
     created_ns INTEGER NOT NULL,
     made_by TEXT NOT NULL,
     comment TEXT
   ) STRICT;`,
  // Those that wait have no reason. What was delivered is gone.
  `CREATE TABLE notifications (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     key TEXT NOT NULL UNIQUE,
     channel TEXT NOT NULL,
     alert TEXT NOT NULL,
     content TEXT NOT NULL,
     attempts INTEGER NOT NULL,
     created_ns INTEGER NOT NULL,
     expires_ns INTEGER NOT NULL,
     next_ns INTEGER NOT NULL,
     reason TEXT,
     detail TEXT
   ) STRICT;
   CREATE INDEX notifications_waiting ON notifications (channel, next_ns) WHERE reason IS NULL;
   CREATE INDEX notifications_by_alert ON notifications (channel, alert, id) WHERE reason IS NULL;
   CREATE INDEX notifications_set_aside ON notifications (channel, reason) WHERE reason IS NOT NULL;`,
  // Services that send heartbeats.
  `CREATE TABLE services (
     name TEXT PRIMARY KEY,
     timeout_ms INTEGER NOT NULL,
     is_up INTEGER NOT NULL,
     since_ns INTEGER NOT NULL,
     last_seen_ns INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
];

/** Opens the control database (`meta.db`), bringing an older schema up to date and refusing a newer one. */
export function openMetaDb(path: string): MetaDb {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;');
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > migrations.length) {
    db.close();
    const message = `${path} was written by a newer Tidemark (schema ${version}, this one knows ${migrations.length})`;
    throw new TidemarkError('store_newer', message);
  }
  migrations.slice(version).forEach((sql, index) => {
    db.exec(`BEGIN; ${sql} PRAGMA user_version = ${version + index + 1}; COMMIT;`);
  });
  return db;
}

/** Runs `work` as one transaction: all of it is on stable storage when it returns, or nothing when it throws. */
export function inTransaction<Result>(db: MetaDb, work: () => Result): Result {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // A full disk may have ended the transaction already.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
