import type { Point } from '@tidemark/core';
import type { Told } from './teller.ts';

/** Transitions as points of the measurement `alerts`, which go the way of every point. */
export function historyPoints(transitions: readonly Told[]): Point[] {
  return transitions.filter(({ state }) => state !== 'removed').map(toPoint);
}

function toPoint({ rule, sensor, severity, state, value, message, sinceNs, timeNs }: Told): Point {
  const isFiring = state !== 'resolved';
  return {
    measurement: 'alerts',
    tags: [
      ['rule', rule],
      ['sensor', sensor],
      ['severity', severity],
    ],
    fields: [
      ['state', state],
      ['firing', Number(isFiring)],
      ...(value === undefined ? [] : [['value', value] as const]),
      ['message', message],
      ['open_s', Number(timeNs - sinceNs) / 1e9],
    ],
    timeNs,
  };
}
