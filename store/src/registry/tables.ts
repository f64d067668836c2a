import type { Cause, Location, MetricDeclaration, Sensor, Stay } from '@tidemark/core';
import { inTransaction, type MetaDb } from '../meta-db.ts';

/** What one transaction changes; entries stand as they are to be. */
export interface Changes {
  locations?: readonly Location[];
  sensors?: readonly Sensor[];
  removedLocations?: readonly string[];
  removedSensors?: readonly string[];
  /** Sensors that are to be renamed when the store has renamed their data. */
  begunRenames?: readonly Rename[];
  endedRenames?: readonly Rename[];
}

export interface Rename {
  from: string;
  to: string;
  /** Who asked for it, for the line that the audit log gets when it is done. */
  cause: Cause;
}

/** Most texts of JSON that are read once for all the sensors that have the same. */
const MAX_SHARED_TEXTS = 10_000;

/** The registry's tables in meta.db. */
export class RegistryTables {
  readonly #db: MetaDb;

  constructor(db: MetaDb) {
    this.#db = db;
  }

  *locations(): Generator<Location> {
    for (const row of this.#rows('locations')) yield toLocation(row);
  }

  *sensors(): Generator<Sensor> {
    const parts = new SharedParts();
    for (const row of this.#rows('sensors')) yield toSensor(row, parts);
  }

  *renames(): Generator<Rename> {
    for (const row of this.#rows('sensor_renames')) {
      const cause = { actor: String(row.actor), note: (row.note as string | null) ?? undefined };
      yield { from: String(row.from_id), to: String(row.to_id), cause };
    }
  }

  /** All of it, and what `alongside` writes, or nothing; on stable storage when it returns. */
  write(changes: Changes, alongside?: () => void): void {
    inTransaction(this.#db, () => {
      // Removed first: a renamed sensor is one removed and one written.
      this.#remove('locations', 'id', changes.removedLocations);
      this.#remove('sensors', 'id', changes.removedSensors);
      const ended = changes.endedRenames?.map(({ from }) => from);
      this.#remove('sensor_renames', 'from_id', ended);
      this.#put('locations', changes.locations, fromLocation);
      this.#put('sensors', changes.sensors, fromSensor);
      this.#put('sensor_renames', changes.begunRenames, fromRename);
      alongside?.();
    });
  }

  #rows(table: Table): Iterable<Row> {
    const statement = this.#db.prepare(`SELECT * FROM ${table}`);
    statement.setReadBigInts(true);
    return statement.iterate() as Iterable<Row>;
  }

  #remove(table: Table, key: string, ids: readonly string[] = []): void {
    const statement = this.#db.prepare(`DELETE FROM ${table} WHERE ${key} = ?`);
    for (const id of ids) statement.run(id);
  }

  #put<Entry>(table: Table, entries: readonly Entry[] = [], toRow: (entry: Entry) => Row): void {
    let statement: ReturnType<MetaDb['prepare']> | undefined;
    for (const entry of entries) {
      const row = toRow(entry);
      const names = Object.keys(row);
      statement ??= this.#db.prepare(
        `INSERT OR REPLACE INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
      );
      statement.run(...Object.values(row));
    }
  }
}

/** What came from users as JSON, without a prototype: `__proto__` is a name too. */
export function bareRecord<Value>(entries: Iterable<readonly [string, Value]>): Record<string, Value> {
  const record: Record<string, Value> = Object.create(null);
  for (const [name, value] of entries) record[name] = value;
  return record;
}

type Table = 'locations' | 'sensors' | 'sensor_renames';
type Row = Record<string, string | number | bigint | null>;

function fromRename({ from, to, cause: { actor, note } }: Rename): Row {
  return { from_id: from, to_id: to, actor, note: note ?? null };
}

function fromLocation(location: Location): Row {
  return {
    id: location.id,
    name: location.name,
    latitude: location.latitude ?? null,
    longitude: location.longitude ?? null,
    parent: location.parent ?? null,
    is_self_registered: Number(location.isSelfRegistered),
    created_ns: location.createdNs,
    updated_ns: location.updatedNs,
    version: location.version,
  };
}

function toLocation(row: Row): Location {
  return {
    id: String(row.id),
    name: String(row.name),
    latitude: (row.latitude as number | null) ?? undefined,
    longitude: (row.longitude as number | null) ?? undefined,
    parent: (row.parent as string | null) ?? undefined,
    ...commonOf(row),
  };
}

function fromSensor(sensor: Sensor): Row {
  return {
    id: sensor.id,
    kind: sensor.kind ?? null,
    metrics: JSON.stringify(sensor.metrics),
    stays: JSON.stringify(sensor.stays.map(({ location, fromNs }) => [location ?? null, String(fromNs)])),
    reported_location: sensor.reportedLocation ?? null,
    former_ids: JSON.stringify(sensor.formerIds),
    expected_interval_ms: sensor.expectedIntervalMs ?? null,
    owner: sensor.owner ?? null,
    labels: JSON.stringify(sensor.labels),
    state: sensor.state,
    time_from: sensor.timeFrom,
    is_self_registered: Number(sensor.isSelfRegistered),
    created_ns: sensor.createdNs,
    updated_ns: sensor.updatedNs,
    version: sensor.version,
  };
}

/**
 * What is read from columns of JSON. Most sensors have the metrics, labels and places of others: they share what is
 * read-only, which takes a third of the memory and of the time.
 */
class SharedParts {
  readonly metrics = sharing((text) => recordOf<MetricDeclaration>(text));
  readonly labels = sharing((text) => recordOf<string>(text));
  readonly formerIds = sharing((text) => JSON.parse(text) as string[]);
  readonly location = sharing((text) => text);
  readonly stays = sharing((text) =>
    (JSON.parse(text) as [location: string | null, fromNs: string][]).map(
      ([location, from]): Stay => ({ location: location ?? undefined, fromNs: BigInt(from) }),
    ),
  );
}

/** Answers what was read from the same text before, as long as there are not too many. */
function sharing<Part>(read: (text: string) => Part): (text: Row[string] | undefined) => Part {
  const known = new Map<string, Part>();
  return (value) => {
    const text = String(value);
    let part = known.get(text);
    if (part === undefined) {
      part = read(text);
      if (known.size < MAX_SHARED_TEXTS) known.set(text, part);
    }
    return part;
  };
}

function toSensor(row: Row, parts: SharedParts): Sensor {
  return {
    id: String(row.id),
    kind: (row.kind as string | null) ?? undefined,
    metrics: parts.metrics(row.metrics),
    stays: parts.stays(row.stays),
    reportedLocation: row.reported_location === null ? undefined : parts.location(row.reported_location),
    formerIds: parts.formerIds(row.former_ids),
    expectedIntervalMs: row.expected_interval_ms === null ? undefined : Number(row.expected_interval_ms),
    owner: (row.owner as string | null) ?? undefined,
    labels: parts.labels(row.labels),
    state: row.state as Sensor['state'],
    timeFrom: row.time_from as Sensor['timeFrom'],
    ...commonOf(row),
  };
}

function commonOf(row: Row) {
  return {
    isSelfRegistered: Boolean(row.is_self_registered),
    createdNs: BigInt(row.created_ns!),
    updatedNs: BigInt(row.updated_ns!),
    version: Number(row.version),
  };
}

function recordOf<Value>(json: string): Record<string, Value> {
  return bareRecord(Object.entries(JSON.parse(json) as Record<string, Value>));
}
