import {
  type Clock,
  Counter,
  type Field,
  NS_PER_MS,
  type Point,
  PointColumns,
  type Registry,
  TRAVELLERS,
  tagOf,
} from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import { NONE, PositionPool } from './position-pool.ts';
import { SensorMemory } from './sensor-memory.ts';
import { storedPositions } from './stored-positions.ts';
import { tagsOfSlot } from './track.ts';

interface TravellerPointsOptions {
  engine: Pick<Engine, 'points'>;
  clock: Clock;
  metrics: Registry;
  stayGapMs: number;
  maxPositions: number;
}

/** A position of the log, and where it stands in its batch. */
interface Wanted {
  index: number;
  type: string;
  traveller: string;
  timeNs: bigint;
  x: number;
  y: number;
}

/** Positions of one sensor that may be neighbours. */
interface Cluster {
  sensor: string;
  positions: readonly Wanted[];
}

/** Where travellers were last is passed over so often in a row, before one is forgotten all the same. */
const MAX_PASSED_OVER = 256;
const END_OF_TIME = 2n ** 63n - 1n;

/**
 * Makes positions of the log the points that the store holds: each in the least slot that nobody else has at its sensor,
 * type and time, and with its speed from the position before. The store itself is the state, and this remembers of it what
 * positions mostly need: what is written again after a crash, or comes again, finds its own slot there.
 */
export class TravellerPoints {
  readonly #options: TravellerPointsOptions;
  readonly #gapNs: bigint;
  readonly #pool = new PositionPool();
  readonly #sensors = new Map<string, SensorMemory>();
  /** Which position is looked at next when one has to go. */
  #hand = 0;
  #touched: string[] = [];
  readonly #corrections: Counter;
  readonly #lookUps: Counter;

  constructor(options: TravellerPointsOptions) {
    this.#options = options;
    this.#gapNs = BigInt(options.stayGapMs) * NS_PER_MS;
    const registers = [options.metrics];
    this.#corrections = new Counter({
      name: 'tidemark_travellers_corrections_total',
      help: 'Speeds of stored positions that were derived anew, since a position before them came later',
      registers,
    });
    this.#lookUps = new Counter({
      name: 'tidemark_travellers_look_ups_total',
      help: 'Times that the store was asked what was there before a position, since memory did not hold it',
      registers,
    });
  }

  /**
   * The points with those of travellers as they are stored, each in its place; behind them corrections of positions
   * that are stored already. Rejects as the store does when it has to be asked; nothing has changed then.
   */
  async derive(points: PointColumns): Promise<PointColumns> {
    const first = firstTraveller(points);
    if (first === undefined) return points;
    const wanted = wantedOf(points, first);
    this.#touched = [...wanted.keys()];
    const made = new Map<number, Point>();
    const corrections: Point[] = [];
    try {
      for (const round of roundsOf(wanted, 2n * this.#gapNs)) {
        const unknown = round.filter((cluster) => !this.#covers(cluster));
        for (const near of nearOnes(unknown, 4n * this.#gapNs)) await this.#load(near);
        for (const cluster of round) this.#place(cluster, made, corrections);
      }
    } catch (error) {
      this.forgetTouched();
      throw error;
    }
    this.#makeRoom();
    this.#corrections.inc(corrections.length);
    return withMade(points, first, made, corrections);
  }

  /** What `derive` answered last is perhaps not in the store, or not all of it: the store is asked again. */
  forgetTouched(): void {
    for (const sensor of this.#touched) this.forget(sensor);
  }

  /** What the store holds of the sensor has been changed by others. */
  forget(sensor: string): void {
    this.#sensors.get(sensor)?.clear();
    this.#sensors.delete(sensor);
  }

  #covers({ sensor, positions }: Cluster): boolean {
    const memory = this.#sensors.get(sensor);
    return positions.every(({ type, traveller, timeNs, x, y }) =>
      memory?.covers(type, traveller, timeNs, x, y),
    );
  }

  #place({ sensor, positions }: Cluster, made: Map<number, Point>, corrections: Point[]): void {
    const memory = this.#sensors.get(sensor)!;
    const next = new Set<number>();
    const placed = positions.map(({ type, traveller, timeNs, x, y }) => {
      const at = memory.place(type, traveller, timeNs, x, y);
      const after = memory.nextToCorrect(at);
      if (after !== NONE) next.add(after);
      return at;
    });
    // As they are now: what came later in the cluster may have changed what came before.
    positions.forEach(({ index }, order) => {
      made.set(index, this.#wholePoint(placed[order]!));
      next.delete(placed[order]!);
    });
    for (const at of next) corrections.push(this.#derivedPoint(at));
  }

  /** Asks the store for all that the clusters may need, and for all behind it unless that is long past. */
  async #load(clusters: readonly Cluster[]): Promise<void> {
    const { engine, clock } = this.#options;
    const gapNs = this.#gapNs;
    this.#lookUps.inc();
    const span = spanOf(clusters.flatMap(({ positions }) => positions));
    const fromNs = span.firstNs - gapNs - gapNs / 4n;
    const isPast = span.lastNs + 3n * gapNs < clock.nowNs();
    const toNs = isPast ? span.lastNs + 3n * gapNs : END_OF_TIME;
    const sensors = clusters.map(({ sensor }) => sensor);
    for (const sensor of sensors) {
      this.forget(sensor);
      this.#sensors.set(sensor, new SensorMemory({ sensor, pool: this.#pool, gapNs, fromNs, toNs }));
    }
    for await (const [sensor, position] of storedPositions(engine, {
      sensors,
      fromNs,
      toNs,
      sliceNs: gapNs / 2n,
    }))
      this.#sensors.get(sensor)!.hold(position);
  }

  #wholePoint(at: number): Point {
    const { x, y } = this.#pool;
    const { traveller } = this.#pool.trackOf(at)!;
    const point = this.#derivedPoint(at);
    const fields: Field[] = [['traveller', traveller], ['x', x[at]!], ['y', y[at]!], ...point.fields];
    return { ...point, fields };
  }

  #derivedPoint(at: number): Point {
    const { times, slots, elapsedNs, speed } = this.#pool;
    const { stream } = this.#pool.trackOf(at)!;
    const fields: Field[] = [['elapsed_ns', elapsedNs[at]!]];
    if (elapsedNs[at]! > 0) fields.push(['speed', speed[at]!]);
    return { measurement: TRAVELLERS, tags: tagsOfSlot(stream, slots[at]!), fields, timeNs: times[at]! };
  }

  /** Forgets positions until there are no more than there may be; those that nobody is likely to come back to first. */
  #makeRoom(): void {
    const pool = this.#pool;
    let passedOver = 0;
    while (pool.size > this.#options.maxPositions) {
      this.#hand = this.#hand >= pool.end ? 0 : this.#hand;
      const index = this.#hand++;
      const track = pool.trackOf(index);
      if (track === undefined) continue;
      const isForced = passedOver >= MAX_PASSED_OVER;
      if (this.#sensors.get(track.stream.sensor)!.forget(index, isForced)) passedOver = 0;
      else passedOver++;
    }
  }
}

/** Where the first position stands; undefined when there is none. */
function firstTraveller(points: PointColumns): number | undefined {
  for (let index = 0; index < points.length; index++)
    if (points.measurementOf(index) === TRAVELLERS) return index;
  return undefined;
}

/** The positions by sensor, in the order of the log. */
function wantedOf(points: PointColumns, first: number): Map<string, Wanted[]> {
  const bySensor = new Map<string, Wanted[]>();
  for (let index = first; index < points.length; index++) {
    if (points.measurementOf(index) !== TRAVELLERS) continue;
    const tags = points.tagsOf(index);
    const sensor = tagOf(tags, 'sensor') ?? '';
    const fields = new Map(points.at(index).fields);
    const [traveller, x, y] = ['traveller', 'x', 'y'].map((field) => fields.get(field));
    // What the log holds from before positions were read is stored as it is.
    if (typeof traveller !== 'string' || typeof x !== 'number' || typeof y !== 'number') continue;
    const type = tagOf(tags, 'type') ?? '';
    const position = { index, type, traveller, timeNs: points.times.at(index), x, y };
    const found = bySensor.get(sensor);
    if (found === undefined) bySensor.set(sensor, [position]);
    else found.push(position);
  }
  return bySensor;
}

/**
 * A sensor's positions cut where nothing on one side can be a neighbour of anything on the other, each cluster in the
 * order of the log; the first of each sensor, then the second of each.
 */
function* roundsOf(wanted: ReadonlyMap<string, Wanted[]>, apartNs: bigint): Generator<Cluster[]> {
  const bySensor = [...wanted].map(([sensor, positions]) =>
    clustersOf(positions, apartNs).map((cluster) => ({ sensor, positions: cluster })),
  );
  const rounds = Math.max(...bySensor.map(({ length }) => length));
  for (let round = 0; round < rounds; round++)
    yield bySensor.flatMap((clusters) => clusters.slice(round, round + 1));
}

function clustersOf(positions: readonly Wanted[], apartNs: bigint): (readonly Wanted[])[] {
  const { firstNs, lastNs } = spanOf(positions);
  if (lastNs - firstNs <= apartNs) return [positions];
  const sorted = positions.toSorted((one, other) => (one.timeNs < other.timeNs ? -1 : 1));
  const clusters: Wanted[][] = [];
  let beforeNs: bigint | undefined;
  for (const position of sorted) {
    if (beforeNs === undefined || position.timeNs - beforeNs > apartNs) clusters.push([]);
    clusters.at(-1)!.push(position);
    beforeNs = position.timeNs;
  }
  return clusters.map((cluster) => cluster.sort((one, other) => one.index - other.index));
}

/** The clusters by stretches of time, so that what is asked of the store is not all between the old and the new. */
function nearOnes(clusters: readonly Cluster[], stretchNs: bigint): Iterable<readonly Cluster[]> {
  return Map.groupBy(clusters, ({ positions }) => positions[0]!.timeNs / stretchNs).values();
}

function spanOf(positions: readonly Wanted[]): { firstNs: bigint; lastNs: bigint } {
  let firstNs = positions[0]!.timeNs;
  let lastNs = firstNs;
  for (const { timeNs } of positions) {
    if (timeNs < firstNs) firstNs = timeNs;
    if (timeNs > lastNs) lastNs = timeNs;
  }
  return { firstNs, lastNs };
}

function withMade(
  points: PointColumns,
  first: number,
  made: ReadonlyMap<number, Point>,
  corrections: readonly Point[],
): PointColumns {
  const all = new PointColumns();
  let start = 0;
  for (let index = first; index < points.length; index++) {
    const point = made.get(index);
    if (point === undefined) continue;
    all.append(points, start, index);
    all.push(point);
    start = index + 1;
  }
  all.append(points, start);
  for (const point of corrections) all.push(point);
  return all;
}
