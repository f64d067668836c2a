import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, type Logger, syncPath, TidemarkError } from '@tidemark/core';
import { ClassicLevel } from 'classic-level';
import { DAMAGED, damageOf } from './session-damage.ts';

type Sessions = ClassicLevel<string, unknown>;

interface SessionsOptions {
  /** Made when it is not there. */
  directory: string;
  clock: Clock;
  logger: Logger;
  /** Told where a database was put that cannot be read: what was in it is lost. */
  onDamage: (keptAt: string) => void;
}

/** Stands beside the database while it is closed and all of it is on stable storage. */
const CLOSED = 'closed';
/** Where damaged databases are kept, beside the one in use. */
const ASIDE = 'damaged';
const databaseFile = /^(?:CURRENT|MANIFEST-\d+|\d+\.(?:ldb|log))$/;
const checkFile = fileURLToPath(new URL('./check-sessions.ts', import.meta.url));
/** Signals by which a process ends itself when its memory or its assertions do not hold. */
const crashes = ['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGTRAP'];

/**
 * Opens the LevelDB of MQTT sessions and retained messages. It syncs little, so that a power cut can leave it
 * damaged, and LevelDB ends the process over some damage: that must not keep readings from being taken. What was
 * not closed in order is therefore first opened by a process of its own. A database that cannot be read is kept
 * aside, and the broker begins with none. It is not repaired: LevelDB's repair checks no checksum of its log, and
 * would give out what a power cut left of a message for the message.
 */
export async function openSessions(options: SessionsOptions): Promise<Sessions> {
  const { directory } = options;
  await mkdir(directory, { recursive: true });
  const files = await readdir(directory);
  const isNew = !files.some((name) => databaseFile.test(name));
  const isClosed = files.includes(CLOSED) && files.includes('CURRENT');
  // LevelDB syncs the folder when it opens: after a power cut the mark is not back beside what was written since.
  await rm(join(directory, CLOSED), { force: true });
  if (!isNew && !isClosed) {
    const reason = await check(directory);
    if (reason !== undefined) await setAside(reason, options);
  }
  try {
    return await openIn(directory);
  } catch (error) {
    const reason = damageOf(error);
    if (reason === undefined) throw error;
    await setAside(reason, options);
    return openIn(directory);
  }
}

/** Closes the database and marks it, so that the next start need not check it. */
export async function closeSessions(db: Sessions, logger: Logger): Promise<void> {
  await db.close();
  const directory = db.location;
  try {
    // Of all that LevelDB writes, its logs alone may not be on stable storage yet.
    for (const name of await readdir(directory))
      if (name.endsWith('.log')) await syncPath(join(directory, name));
    await writeFile(join(directory, CLOSED), '', { flush: true });
    await syncPath(directory);
  } catch (error) {
    logger.warn(
      { err: error, directory },
      'the MQTT sessions could not be synced: the next start checks them',
    );
  }
}

async function openIn(directory: string): Promise<Sessions> {
  const isNew = !(await readdir(directory)).includes('CURRENT');
  const db: Sessions = new ClassicLevel(directory, { valueEncoding: 'json' });
  await db.open();
  if (isNew) {
    // Until its next table LevelDB has nothing on stable storage that names the new database.
    await syncPath(directory);
    await syncPath(dirname(directory));
  }
  return db;
}

/** Has another process open the database and read it; answers what is wrong with it. */
function check(directory: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [checkFile, directory], (error, _stdout, stderr) => {
      const reason = stderr.trim();
      if (error === null) resolve(undefined);
      else if (error.code === DAMAGED) resolve(reason);
      else if (crashes.includes(error.signal ?? '')) resolve(`${error.signal}: ${reason}`);
      else {
        const message = `the MQTT sessions in ${directory} could not be checked: ${reason || error.message}; start again`;
        reject(new TidemarkError('unavailable', message, { cause: error }));
      }
    });
  });
}

async function setAside(
  reason: string,
  { directory, clock, logger, onDamage }: SessionsOptions,
): Promise<void> {
  const keptAt = join(directory, ASIDE, String(clock.nowNs()));
  await mkdir(keptAt, { recursive: true });
  let bytes = 0;
  for (const name of await readdir(directory)) {
    if (name === ASIDE) continue;
    bytes += (await stat(join(directory, name))).size;
    await rename(join(directory, name), join(keptAt, name));
  }
  onDamage(keptAt);
  logger.error(
    { bytes, reason, path: keptAt },
    'the database of MQTT sessions is damaged and was set aside: sessions, what was queued for them, and retained messages are lost; readings are not in it',
  );
}
