import {
  type Clock,
  type CommandTopics,
  type Config,
  knownLocation,
  type Registry,
  type SensorDirectory,
  type SparkplugClaim,
  tagsOf,
} from '@tidemark/core';
import { type Decoded, type DraftLine, decodedReadings, type Limits, onlyFault } from '../decoded.ts';
import { Births, type Definition, type DeviceMetrics, type EdgeNode, hasGap } from './births.ts';
import type { Payload } from './generated/sparkplug_b.ts';
import { SparkplugMetrics } from './metrics.ts';
import { readPayload } from './payload.ts';
import { readingsOf } from './readings.ts';
import { type RebirthCause, Rebirths } from './rebirths.ts';

/** Parts of a sensor's id: group, edge node and, of a device, its own. */
const SEPARATOR = '.';
/** The node's own metrics stand under this device. */
const NODE_ITSELF = '';

interface SparkplugOptions {
  config: Pick<Config, 'sparkplug' | 'ingest'>;
  directory: SensorDirectory;
  topics: CommandTopics;
  clock: Clock;
  metrics: Registry;
}

/**
 * Decodes Sparkplug B (Eclipse Sparkplug 3.0.0) as a host application does that only listens: it keeps what births say of
 * aliases and data types, and asks a node for new births when something is missing. Data are stored all the same as far as
 * they can be read; what cannot be read goes into the quarantine as `no_birth`, and can be replayed once the birth is there.
 */
export class Sparkplug {
  readonly #options: SparkplugOptions;
  readonly #limits: Limits;
  readonly #metrics: SparkplugMetrics;
  readonly #births: Births;
  readonly #rebirths: Rebirths;

  constructor(options: SparkplugOptions) {
    const { sparkplug, ingest } = options.config;
    this.#options = options;
    this.#limits = ingest;
    this.#metrics = new SparkplugMetrics(options.metrics);
    this.#births = new Births({
      maxMetrics: sparkplug.maxMetrics,
      onForgotten: () => this.#metrics.forgottenNodes.inc(),
    });
    this.#rebirths = new Rebirths({
      ...options,
      everyMs: sparkplug.rebirthEveryMs,
      requests: this.#metrics.rebirthRequests,
    });
  }

  /** `isNews` is false for what is only looked at or came before: then nothing is remembered of it, and nobody is asked. */
  decode(claim: SparkplugClaim, bytes: Uint8Array, isNews: boolean): Decoded {
    const sensor = sensorOf(claim);
    const problem = topicProblem(claim);
    if (problem !== undefined) return onlyFault('bad_sensor', problem);
    const payload = readPayload(bytes);
    if (typeof payload === 'string') return onlyFault('malformed_protobuf', payload, sensor);
    if (claim.type === 'NDEATH' || claim.type === 'DDEATH')
      return isNews ? this.#bury(claim, payload) : decodedReadings([], []);
    if (isNews) this.#note(claim, payload);
    if (payload.metrics.length === 0 && claim.type.endsWith('DATA'))
      return onlyFault('empty', 'the message holds no metric', sensor);
    const known = this.#births.find(keyOf(claim))?.metrics.get(claim.device ?? NODE_ITSELF);
    const decoded = readingsOf(payload, {
      sensor,
      limits: this.#limits,
      known,
      onUnstored: (cause) => isNews && this.#metrics.unstored.inc({ cause }),
    });
    if (isNews && decoded.faults.some(({ reason }) => reason === 'no_birth')) this.#ask(claim, 'no_birth');
    return decoded;
  }

  #note(claim: SparkplugClaim, payload: Payload): void {
    const key = keyOf(claim);
    const device = claim.device ?? NODE_ITSELF;
    const isBirth = claim.type === 'NBIRTH' || claim.type === 'DBIRTH';
    let node = this.#births.find(key);
    if (claim.type === 'NBIRTH') node = this.#births.bear(key, bdSeqOf(payload));
    else if (node === undefined) this.#ask(claim, 'no_birth');
    if (isBirth) {
      node ??= this.#births.bear(key, undefined);
      this.#births.declare(node, device, metricsOf(payload));
      this.#metrics.births.inc({ of: claim.device === undefined ? 'node' : 'device' });
    }
    if (node === undefined) return;
    this.#follow(claim, node, payload);
    if (!node.metrics.has(device)) this.#ask(claim, 'no_birth');
  }

  #follow(claim: SparkplugClaim, node: EdgeNode, { seq }: Payload): void {
    if (!hasGap(node, seq)) return;
    this.#metrics.gaps.inc();
    this.#ask(claim, 'gap');
  }

  /** A death is silence that is known at once: the sensors are told of as down, until they report again. */
  #bury(claim: SparkplugClaim, payload: Payload): Decoded {
    const key = keyOf(claim);
    const node = this.#births.find(key);
    const { device } = claim;
    const dead = [sensorOf(claim)];
    if (device === undefined) {
      // The will of a connection that another one has followed.
      const bdSeq = bdSeqOf(payload);
      if (node?.bdSeq !== undefined && bdSeq !== undefined && bdSeq !== node.bdSeq)
        return decodedReadings([], []);
      for (const one of node?.metrics.keys() ?? [])
        if (one !== NODE_ITSELF) dead.push(sensorOf({ ...claim, device: one }));
      this.#births.remove(key);
    } else if (node !== undefined) {
      this.#follow(claim, node, payload);
      this.#births.bury(node, device);
    }
    this.#metrics.deaths.inc({ of: device === undefined ? 'node' : 'device' });
    return { readings: [], lines: this.#deathsOf(dead), faults: [] };
  }

  /** Points without a time: they get that of their acceptance. */
  #deathsOf(ids: readonly string[]): DraftLine[] {
    const { directory, clock } = this.#options;
    const sensors = ids.map((id) => directory.sensor(id)).filter((sensor) => sensor !== undefined);
    return sensors.map((sensor, index) => ({
      index,
      start: 0,
      end: 0,
      point: {
        measurement: 'sensor_state',
        tags: tagsOf(sensor.id, knownLocation(sensor, clock.nowNs())),
        fields: [
          ['died', 1],
          ['up', 0],
        ],
        timeNs: undefined,
      },
    }));
  }

  #ask({ group, node }: SparkplugClaim, cause: RebirthCause): void {
    this.#rebirths.ask(group, node, cause);
  }
}

/** No name has a slash: none of another node is the same. */
function keyOf({ group, node }: SparkplugClaim): string {
  return `${group}/${node}`;
}

function sensorOf({ group, node, device }: SparkplugClaim): string {
  return [group, node, ...(device === undefined ? [] : [device])].join(SEPARATOR);
}

function topicProblem({ type, group, node, device }: SparkplugClaim): string | undefined {
  if (group === '' || node === '' || device === '') return 'a level of the topic is empty';
  if (type.startsWith('N') && device !== undefined) return `the topic of ${type} ends with the edge node`;
  if (type.startsWith('D') && device === undefined) return `the topic of ${type} names no device`;
  return device?.includes('/') ? 'the topic has levels behind the device' : undefined;
}

function bdSeqOf({ metrics }: Payload): bigint | undefined {
  const value = metrics.find(({ name }) => name === 'bdSeq')?.value;
  return value?.$case === 'longValue' || value?.$case === 'intValue' ? BigInt(value.value) : undefined;
}

function metricsOf({ metrics }: Payload): DeviceMetrics {
  const byAlias = new Map<bigint, Definition>();
  const byName = new Map<string, Definition>();
  for (const { name, alias, datatype } of metrics) {
    if (name === undefined || name === '' || datatype === undefined) continue;
    const definition = { name, datatype };
    byName.set(name, definition);
    if (alias !== undefined) byAlias.set(alias, definition);
  }
  return { byAlias, byName };
}
