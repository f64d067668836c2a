import {
  type Config,
  type FieldType,
  formatTime,
  hintOfReason,
  type IngestTrace,
  type IngestTraced,
  type MessageClaim,
  type PartHealth,
  type Point,
  PointColumns,
  type QualityCheck,
  type Refusal,
  stepOfReason,
  type TracedMessage,
  type TraceStep,
  type TraceStepName,
} from '@tidemark/core';
import { type Engine, fitTypes, RegistrarPreview, type SensorRegistry } from '@tidemark/store';
import { ReadingChecks } from '../quality/reading-checks.ts';
import { SensorStates } from '../quality/sensor-states.ts';
import { type DryRun, type RealParts, runDry } from './dry-pipeline.ts';

/** Of more refusals, the rest are counted. */
const TOLD_REFUSALS = 3;

interface TracerOptions {
  config: Config;
  engine: Engine;
  registry: SensorRegistry;
  parts: RealParts;
  /** Of the log, and of who writes it to the store. */
  spool: { health(): PartHealth };
  writer: { health(): PartHealth };
}

/** Says what would become of a message behind the broker, by the same code that takes messages in. */
export class Tracer implements IngestTrace {
  readonly #options: TracerOptions;

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  async trace({ topic, payload }: TracedMessage): Promise<IngestTraced> {
    const { config, parts, registry } = this.#options;
    const topicStep = readTopic(topic, parts.mappings.claims.of(topic));
    if (topicStep.status === 'stopped') return { steps: [topicStep], points: [], rejected: [] };
    const registrar = new RegistrarPreview({ registry, limits: config.registry, clock: parts.clock });
    const run = await runDry(topic, payload, { parts, config, registrar });
    const { points, refused } = await this.#fit(run.points);
    const rejected = [...run.outcome.rejected, ...refused];
    const judged = new Judged(rejected, points.length);
    const steps = [
      topicStep,
      judged.step('decode', `holds ${count(run.points.length + run.outcome.rejected.length, 'part')}`),
      judged.step('validation', timesOf(run)),
      judged.step('registry', this.#placeOf(run.points)),
      this.#check(run, registrar),
      this.#logStep(run.points.length > 0),
      this.#storeStep(judged, points.length),
    ];
    return { steps: skipBehindStop(steps), points, rejected };
  }

  /** What the store's types say; unknown while it is out, and then it is the store that says so. */
  async #fit(points: readonly Point[]): Promise<{ points: Point[]; refused: Refusal[] }> {
    const { engine, config } = this.#options;
    const fields = points.length === 0 ? [] : await engine.fields().catch(() => []);
    const pins = new Map<string, Map<string, FieldType>>();
    for (const { measurement, field, type } of fields) {
      const known = pins.get(measurement) ?? new Map<string, FieldType>();
      pins.set(measurement, known.set(field, type));
    }
    const refused: Refusal[] = [];
    const fitting: Point[] = [];
    for (const [index, point] of points.entries()) {
      const fitted = fitTypes(point, pins.get(point.measurement), config.store.typePolicy);
      if (typeof fitted === 'string') refused.push({ index, code: 'type_conflict', detail: fitted });
      else fitting.push(fitted);
    }
    return { points: fitting, refused };
  }

  #placeOf(points: readonly Point[]): string {
    const { registry } = this.#options;
    const ids = [
      ...new Set(points.flatMap(({ tags }) => tags.filter(([key]) => key === 'sensor')).map(([, id]) => id)),
    ];
    const fresh = ids.filter((id) => registry.sensor(id) === undefined);
    if (ids.length === 0) return 'names no sensor';
    const known = ids.length === 1 ? `is of sensor ${ids[0]}` : `is of ${ids.length} sensors`;
    return fresh.length === 0
      ? `${known}, which is registered`
      : `${known}; ${fresh.join(', ')} registers itself`;
  }

  /** By checks that remember nothing: what compares with the value before cannot be told. */
  #check({ points, late }: DryRun, directory: RegistrarPreview): TraceStep {
    const { config, parts } = this.#options;
    const failed = new Set<QualityCheck>();
    const states = new SensorStates({ maxSensors: Number.POSITIVE_INFINITY, onForgotten: () => {} });
    const checks = new ReadingChecks({
      config,
      directory,
      states,
      onFailure: (_id, check) => failed.add(check),
    });
    const columns = PointColumns.of(points);
    const acceptedMs = Number(parts.clock.nowNs() / 1_000_000n);
    for (const [index, point] of points.entries())
      checks.check(columns, index, { acceptedMs, isLate: late.has(point), seenAtMs: 0 });
    if (failed.size === 0) return { step: 'quality', status: 'passed', message: 'fails no check' };
    const message = `fails ${[...failed].join(', ')}, which is counted; it is stored all the same`;
    return { step: 'quality', status: 'warned', message, hint: 'see docs/data-quality.md' };
  }

  #logStep(hasPoints: boolean): TraceStep {
    const { status, message } = this.#options.spool.health();
    const what = hasPoints
      ? 'is made durable, then acknowledged'
      : 'is quarantined, durably, then acknowledged';
    if (status === 'pass') return { step: 'spool', status: 'passed', message: what };
    const hint =
      'publishers are held, not acknowledged, until the disk takes writes; see the log and the free space';
    return { step: 'spool', status: 'stopped', message, hint };
  }

  #storeStep(judged: Judged, points: number): TraceStep {
    const { status, message } = this.#options.writer.health();
    if (status === 'fail') {
      const hint = 'it waits in the spool, is safe, and is written when the store takes it';
      return { step: 'store', status: 'stopped', message, hint };
    }
    const waits = message === 'writing' ? '' : ` (${message})`;
    return judged.step('store', `writes ${count(points, 'point')}${waits}`);
  }
}

/** What was refused, told at the step where it stops. */
class Judged {
  readonly #rejected: readonly Refusal[];
  /** Parts that are neither refused so far nor stored. */
  #left: number;

  constructor(rejected: readonly Refusal[], stored: number) {
    this.#rejected = rejected;
    this.#left = rejected.length + stored;
  }

  step(step: TraceStepName, message: string): TraceStep {
    if (this.#left === 0) return { step, status: 'stopped', message: 'holds nothing to store' };
    const refused = this.#rejected.filter(({ code }) => stepOfReason[code] === step);
    if (refused.length === 0) return { step, status: 'passed', message };
    this.#left -= refused.length;
    const told = refused.slice(0, TOLD_REFUSALS).map(({ code, detail }) => `${code}: ${detail}`);
    if (refused.length > TOLD_REFUSALS) told.push(`and ${refused.length - TOLD_REFUSALS} more`);
    return {
      step,
      status: this.#left === 0 ? 'stopped' : 'warned',
      message: `${this.#left === 0 ? '' : `${count(refused.length, 'part')} refused, the rest goes on: `}${told.join('; ')}`,
      hint: hintOfReason(refused[0]!.code),
    };
  }
}

function readTopic(topic: string, claim: MessageClaim): TraceStep {
  const step = 'topic';
  switch (claim.kind) {
    case 'metric':
      return { step, status: 'passed', message: `is metric ${claim.metric} of sensor ${claim.sensor}` };
    case 'sensor':
      return { step, status: 'passed', message: `is a message of sensor ${claim.sensor}` };
    case 'lines':
      return { step, status: 'passed', message: 'is line protocol' };
    case 'travellers':
      return { step, status: 'passed', message: `is of travellers at sensor ${claim.sensor}` };
    case 'sparkplug':
      return {
        step,
        status: 'passed',
        message: `is Sparkplug's ${claim.type} of ${claim.group}/${claim.node}`,
      };
    case 'mapped':
      return {
        step,
        status: 'passed',
        message: `is read by mapping ${claim.mapping.id} (${claim.mapping.topic})`,
      };
    case 'heartbeat':
      return { step, status: 'stopped', message: 'is the heartbeat of a service, and no reading' };
    case 'own':
      return { step, status: 'stopped', message: 'is for the platform itself' };
    case 'other':
      return {
        step,
        status: 'stopped',
        message: `${topic} goes to its subscribers; nothing says that it holds readings`,
        hint: 'publish on sensors/<sensor>/<metric>, sensors/<sensor> or lines/<anything>, in lower case, or add a mapping',
      };
  }
}

function timesOf({ points, late }: DryRun): string {
  const first = points[0];
  if (first === undefined) return 'holds no time';
  const more = points.length === 1 ? '' : ' first';
  const isLate = late.size === 0 ? '' : `; ${late.size} late`;
  return `is of ${formatTime(first.timeNs)}${more}${isLate}`;
}

/** What does not come further has not met what follows. */
function skipBehindStop(steps: readonly TraceStep[]): TraceStep[] {
  const stop = steps.findIndex(({ status }) => status === 'stopped');
  return steps.map((one, index) =>
    stop === -1 || index <= stop
      ? one
      : { step: one.step, status: 'skipped', message: 'does not come this far' },
  );
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
