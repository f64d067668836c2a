import {
  type Clock,
  type Config,
  type DerivedRegistrar,
  idProblem,
  type Location,
  type Logger,
  messageOf,
  type PartHealth,
  type Registry,
  type Sensor,
  type SensorRegistrar,
  TidemarkError,
} from '@tidemark/core';
import type { MetaDb } from '../meta-db.ts';
import { RegistryMetrics } from './metrics.ts';
import { selfRegistered, withMetric, withReportedLocation } from './self-registered.ts';
import { type Changes, RegistryTables, type Rename } from './tables.ts';

/** How often what registered itself is written down; a crash forgets as much, and it registers again. */
const WRITE_EVERY_MS = 1000;
/** Written in one go, some 10 µs each: acceptance shares the thread. */
const MAX_WRITTEN_AT_ONCE = 2000;
/** Places are few; one more than this is known by its name alone. */
const MAX_LOCATIONS = 100_000;
/** Each is looked up with a sensor's readings under it, for as long as the sensor is there. */
const MAX_FORMER_IDS = 100;

interface RegistryOptions {
  db: MetaDb;
  limits: Config['registry'];
  clock: Clock;
  logger: Logger;
  metrics: Registry;
}

/**
 * Sensors and locations: all of them in memory, where they are asked for with each reading, and in meta.db.
 * What people declare is on stable storage when the call returns; what registers itself is written behind.
 */
export class SensorRegistry implements SensorRegistrar, DerivedRegistrar {
  changes = 0;
  readonly #options: RegistryOptions;
  readonly #tables: RegistryTables;
  readonly #metrics: RegistryMetrics;
  readonly #sensors = new Map<string, Sensor>();
  /** Former ids, each with the id that its sensor has now. */
  readonly #renamed = new Map<string, string>();
  /** Renames that the store has not carried out yet, by the id that the sensor still has. */
  readonly #renames = new Map<string, Rename>();
  readonly #locations = new Map<string, Location>();
  readonly #unwrittenSensors = new Set<string>();
  readonly #unwrittenLocations = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #minute = { startMs: Number.NEGATIVE_INFINITY, sensors: 0 };
  #writeFault: string | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#tables = new RegistryTables(options.db);
    this.#metrics = new RegistryMetrics(options.metrics, {
      sensors: () => this.#sensors.size,
      locations: () => this.#locations.size,
    });
  }

  async start(): Promise<void> {
    for (const location of this.#tables.locations()) this.#locations.set(location.id, location);
    for (const sensor of this.#tables.sensors()) this.#keep(sensor);
    for (const rename of this.#tables.renames()) this.#renames.set(rename.from, rename);
    this.#timer = setInterval(() => this.#writeBehind(MAX_WRITTEN_AT_ONCE), WRITE_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#writeBehind(Number.POSITIVE_INFINITY);
  }

  health(): PartHealth {
    const fault = this.#writeFault;
    return { name: 'registry', status: fault ? 'fail' : 'pass', message: fault ?? 'written' };
  }

  sensor(id: string): Sensor | undefined {
    return this.#sensors.get(id) ?? this.#sensors.get(this.#renamed.get(id) ?? '');
  }

  sensors(): Iterable<Sensor> {
    return this.#sensors.values();
  }

  location(id: string): Location | undefined {
    return this.#locations.get(id);
  }

  locations(): Iterable<Location> {
    return this.#locations.values();
  }

  get renamedIds(): ReadonlyMap<string, string> {
    return this.#renamed;
  }

  get pendingRenames(): readonly Rename[] {
    return [...this.#renames.values()];
  }

  /** Notes that a sensor is to be renamed, durably; throws `conflict` when the id is taken or it is at it already. */
  beginRename(rename: Rename): void {
    const { from, to } = rename;
    if (this.sensor(to) !== undefined) throw new TidemarkError('conflict', `there is a sensor ${to} already`);
    if (this.pendingRenames.some((other) => [from, to].includes(other.from) || other.to === to))
      throw new TidemarkError('conflict', `${from} or ${to} is being renamed; wait until that is done`);
    if (this.#sensors.get(from)!.formerIds.length >= MAX_FORMER_IDS)
      throw new TidemarkError('conflict', `${from} was renamed ${MAX_FORMER_IDS} times; no more`);
    this.write({ begunRenames: [rename] });
  }

  /**
   * Gives the sensor its new id, the one that it had before still being accepted from its device. `alongside`
   * writes to meta.db in the same transaction.
   */
  finishRename(rename: Rename, alongside?: () => void): void {
    const sensor = this.#sensors.get(rename.from);
    // Deleted meanwhile.
    if (sensor === undefined) {
      this.cancelRename(rename);
      return;
    }
    const formerIds = [...sensor.formerIds.filter((id) => id !== rename.to), rename.from];
    const updatedNs = this.#options.clock.nowNs();
    const renamed = { ...sensor, id: rename.to, formerIds, updatedNs, version: sensor.version + 1 };
    this.write({ removedSensors: [rename.from], sensors: [renamed], endedRenames: [rename] }, alongside);
  }

  /** The sensor keeps its id. */
  cancelRename(rename: Rename): void {
    this.write({ endedRenames: [rename] });
  }

  register(id: string, location: string | undefined, metrics: readonly string[]): Sensor | undefined {
    const limit = this.limitReached();
    if (limit !== undefined) {
      this.#metrics.limited.inc({ limit });
      return undefined;
    }
    this.#minute.sensors++;
    this.#metrics.selfRegistered.inc();
    const { limits, clock } = this.#options;
    const sensor = selfRegistered(id, metrics, { ...limits, nowNs: clock.nowNs() });
    this.#noteSensor(sensor);
    return location === undefined ? sensor : this.reportLocation(sensor, location);
  }

  reportLocation({ id }: Sensor, location: string): Sensor {
    const sensor = this.#sensors.get(id)!;
    if (sensor.reportedLocation === location) return sensor;
    const moved = withReportedLocation(sensor, location);
    this.#noteSensor(moved);
    this.#noteLocation(location);
    return moved;
  }

  reportMetric({ id }: Sensor, metric: string): Sensor | undefined {
    const sensor = this.#sensors.get(id)!;
    return metric in sensor.metrics ? sensor : this.#learn(withMetric(sensor, metric, this.#options.limits));
  }

  reportDerived({ id }: Sensor, metric: string, unit: string | undefined): Sensor | undefined {
    const sensor = this.#sensors.get(id)!;
    const declared = sensor.metrics[metric];
    if (declared?.derived) return sensor;
    const declaration = { ...(unit !== undefined && { unit }), ...declared, derived: true };
    return this.#learn(withMetric(sensor, metric, this.#options.limits, declaration));
  }

  #learn(learned: Sensor | undefined): Sensor | undefined {
    if (learned === undefined) {
      this.#metrics.limited.inc({ limit: 'metrics' });
      return undefined;
    }
    this.#noteSensor(learned);
    return learned;
  }

  /**
   * Makes the changes on stable storage, then in memory; all of them or none. What `alongside` writes to meta.db
   * is part of the same transaction. Throws `conflict` when there would be more entries than may be.
   */
  write(changes: Changes, alongside?: () => void): void {
    this.#refuseExcess(changes);
    const places = this.#unwrittenPlacesOf(changes.sensors ?? []);
    this.#tables.write({ ...changes, locations: [...places, ...(changes.locations ?? [])] }, alongside);
    for (const id of changes.removedLocations ?? []) this.#locations.delete(id);
    for (const id of changes.removedSensors ?? []) this.#forget(id);
    for (const location of changes.locations ?? []) this.#locations.set(location.id, location);
    for (const sensor of changes.sensors ?? []) this.#keep(sensor);
    for (const { from } of changes.endedRenames ?? []) this.#renames.delete(from);
    for (const rename of changes.begunRenames ?? []) this.#renames.set(rename.from, rename);
    this.changes++;
  }

  #refuseExcess({ sensors = [], removedSensors = [], locations = [] }: Changes): void {
    const { maxSensors } = this.#options.limits;
    const added = (entries: readonly { id: string }[], held: ReadonlyMap<string, unknown>): number =>
      entries.filter(({ id }) => !held.has(id)).length;
    if (this.#locations.size + added(locations, this.#locations) > MAX_LOCATIONS)
      throw new TidemarkError('conflict', `${MAX_LOCATIONS} locations are registered; delete some first`);
    // A renamed sensor is one removed and one added.
    const newSensors = added(sensors, this.#sensors) - removedSensors.length;
    if (newSensors > 0 && this.#sensors.size + newSensors > maxSensors)
      throw new TidemarkError('conflict', `there may be ${maxSensors} sensors; raise TIDEMARK_MAX_SENSORS`);
  }

  /** Which limit forbids one more sensor. */
  /** Why no sensor can register itself now; undefined when one can. */
  limitReached(): 'sensors' | 'new_sensors' | undefined {
    const { limits, clock } = this.#options;
    if (this.#sensors.size >= limits.maxSensors) return 'sensors';
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#minute.startMs >= 60_000) this.#minute = { startMs: nowMs, sensors: 0 };
    return this.#minute.sensors >= limits.maxNewSensorsPerMinute ? 'new_sensors' : undefined;
  }

  #noteSensor(sensor: Sensor): void {
    this.#sensors.set(sensor.id, sensor);
    this.#unwrittenSensors.add(sensor.id);
  }

  #noteLocation(id: string): void {
    if (this.#locations.has(id) || idProblem(id) !== undefined) return;
    if (this.#locations.size >= MAX_LOCATIONS) {
      this.#metrics.limited.inc({ limit: 'locations' });
      return;
    }
    const nowNs = this.#options.clock.nowNs();
    this.#locations.set(id, {
      id,
      name: id,
      latitude: undefined,
      longitude: undefined,
      parent: undefined,
      isSelfRegistered: true,
      createdNs: nowNs,
      updatedNs: nowNs,
      version: 1,
    });
    this.#unwrittenLocations.add(id);
  }

  #keep(sensor: Sensor): void {
    for (const formerId of this.#sensors.get(sensor.id)?.formerIds ?? []) this.#renamed.delete(formerId);
    for (const formerId of sensor.formerIds) this.#renamed.set(formerId, sensor.id);
    this.#sensors.set(sensor.id, sensor);
  }

  #forget(id: string): void {
    for (const formerId of this.#sensors.get(id)?.formerIds ?? []) this.#renamed.delete(formerId);
    this.#sensors.delete(id);
  }

  #writeBehind(most: number): void {
    const sensors = this.#unwritten(this.#unwrittenSensors, this.#sensors, most);
    const locations = [
      ...this.#unwrittenPlacesOf(sensors),
      ...this.#unwritten(this.#unwrittenLocations, this.#locations, most),
    ];
    if (sensors.length === 0 && locations.length === 0) return;
    try {
      this.#tables.write({ locations, sensors });
      for (const { id } of sensors) this.#unwrittenSensors.delete(id);
      for (const { id } of locations) this.#unwrittenLocations.delete(id);
      this.#writeFault = undefined;
    } catch (error) {
      if (!this.#writeFault)
        this.#options.logger.error(
          { err: error },
          'new sensors could not be written down; they will be later',
        );
      this.#writeFault = messageOf(error);
    }
  }

  /**
   * What the sensors report and is not written yet. It is written with them: after a crash, a place that a sensor
   * reports as before would not be noted again.
   */
  #unwrittenPlacesOf(sensors: readonly Sensor[]): Location[] {
    const reported = new Set(sensors.map(({ reportedLocation }) => reportedLocation ?? ''));
    return this.#unwritten(reported.intersection(this.#unwrittenLocations), this.#locations, MAX_LOCATIONS);
  }

  /** The first of those noted; what was deleted since is passed over. */
  #unwritten<Entry>(ids: Set<string>, entries: ReadonlyMap<string, Entry>, most: number): Entry[] {
    const found: Entry[] = [];
    for (const id of ids) {
      if (found.length >= most) break;
      const entry = entries.get(id);
      if (entry === undefined) ids.delete(id);
      else found.push(entry);
    }
    return found;
  }
}
