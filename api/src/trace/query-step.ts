import {
  formatTime,
  messageOf,
  type Point,
  READINGS,
  TRAVELLERS,
  type TraceStep,
  tagOf,
} from '@tidemark/core';
import type { ApiParts } from '../parts.ts';

/** What dashboards and the page show unless told otherwise. */
const SHOWN_NS = 3_600_000_000_000n;
/** Sensors that are asked for; of more, the first ones stand for all. */
const MAX_SENSORS = 10;
const step = 'query';

/** Where the points would be seen, and what of theirs is there already. */
export async function queryStep(
  points: readonly Point[],
  { clock, engine, storage }: Pick<ApiParts, 'clock' | 'engine' | 'storage'>,
): Promise<TraceStep> {
  const nowNs = clock.nowNs();
  const expired = points.find(({ measurement, timeNs }) => {
    const ageNs = storage.maxAgeOf(measurement);
    return ageNs !== undefined && timeNs < nowNs - ageNs;
  });
  if (expired !== undefined) {
    const message = `points of ${formatTime(expired.timeNs)} are older than ${expired.measurement} is kept`;
    return { step, status: 'stopped', message, hint: 'they go with the next purge: see retention.maxAge' };
  }
  const newest = points.reduce((most, { timeNs }) => (timeNs > most ? timeNs : most), points[0]!.timeNs);
  if (newest > nowNs) {
    const message = `${formatTime(newest)} is ahead of the clock: charts that end now do not show it yet`;
    return { step, status: 'warned', message, hint: 'look beyond now, or set the clock of the device' };
  }
  const known = await latestText(points, engine);
  if (newest < nowNs - SHOWN_NS) {
    const message = `${formatTime(newest)} is older than charts of the last hour show; ${known}`;
    return { step, status: 'warned', message, hint: 'choose a range that reaches back so far' };
  }
  return { step, status: 'passed', message: `charts of the last hour show it; ${known}` };
}

async function latestText(points: readonly Point[], engine: ApiParts['engine']): Promise<string> {
  const readings = points.filter(({ measurement }) => measurement === READINGS);
  const sensors = [...new Set(readings.map(({ tags }) => tagOf(tags, 'sensor') ?? ''))];
  const { measurement } = points[0]!;
  if (measurement === TRAVELLERS) return 'travellers are asked for at /api/v1/travellers';
  if (sensors.length === 0) return `measurement ${measurement} is asked for by InfluxQL (/query)`;
  try {
    const latest = await engine.latest({ sensors: sensors.slice(0, MAX_SENSORS) });
    const newest = latest.reduce((most, { timeNs }) => (timeNs > most ? timeNs : most), 0n);
    if (latest.length === 0) return `nothing is stored of ${sensors[0]} yet`;
    return `the newest that is stored of ${sensors[0]} is of ${formatTime(newest)}`;
  } catch (error) {
    return `the store does not answer now: ${messageOf(error)}`;
  }
}
