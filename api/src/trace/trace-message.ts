import {
  type Point,
  type Refusal,
  type TracedMessage,
  type TraceStep,
  type TraceStepName,
  traceStepNames,
} from '@tidemark/core';
import type { ApiParts } from '../parts.ts';
import { queryStep } from './query-step.ts';

/** What becomes of a message as a whole. A closed list: users may match on it. */
export const traceOutcomes = [
  'stored',
  'partly_stored',
  'delayed',
  'held',
  'quarantined',
  'nothing',
  'not_ingested',
  'refused',
] as const;

export interface MessageTrace {
  outcome: (typeof traceOutcomes)[number];
  stopsAt: TraceStepName | undefined;
  /** Every step, in order. */
  steps: TraceStep[];
  points: readonly Point[];
  rejected: readonly Refusal[];
}

type TraceParts = Pick<ApiParts, 'brokerTrace' | 'clock' | 'engine' | 'ingestTrace' | 'storage'>;

/** Every step that the message would take, with nothing stored. */
export async function traceMessage(message: TracedMessage, parts: TraceParts): Promise<MessageTrace> {
  const steps = parts.brokerTrace.traceMessage(message);
  if (stopOf(steps) !== undefined) return traceOf(steps, [], []);
  const { steps: further, points, rejected } = await parts.ingestTrace.trace(message);
  steps.push(...further);
  if (stopOf(steps) === undefined) steps.push(await queryStep(points, parts));
  return traceOf(steps, points, rejected);
}

function traceOf(
  steps: readonly TraceStep[],
  points: readonly Point[],
  rejected: readonly Refusal[],
): MessageTrace {
  const stop = stopOf(steps);
  const byName = new Map(steps.map((one) => [one.step, one]));
  const all = traceStepNames.map((step, index) => {
    const isBehind = stop !== undefined && index > traceStepNames.indexOf(stop.step);
    const found = isBehind ? undefined : byName.get(step);
    return found ?? { step, status: 'skipped' as const, message: 'does not come this far' };
  });
  return { outcome: outcomeOf(stop, rejected), stopsAt: stop?.step, steps: all, points, rejected };
}

function stopOf(steps: readonly TraceStep[]): TraceStep | undefined {
  return steps.find(({ status }) => status === 'stopped');
}

function outcomeOf(stop: TraceStep | undefined, rejected: readonly Refusal[]): MessageTrace['outcome'] {
  switch (stop?.step) {
    case undefined:
      return rejected.length > 0 ? 'partly_stored' : 'stored';
    case 'broker':
    case 'access':
      return 'refused';
    case 'topic':
      return 'not_ingested';
    case 'spool':
      return 'held';
    case 'query':
      return 'stored';
    case 'store':
      return rejected.length > 0 ? 'quarantined' : 'delayed';
    default:
      return rejected.length > 0 ? 'quarantined' : 'nothing';
  }
}
