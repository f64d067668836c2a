import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Summary } from './load.ts';
import { metricsOf } from './metrics.ts';
import { numberOf } from './numbers.ts';

const DRAIN_WITHIN_MS = 120_000;
const NAMED_EXAMPLES = 5;

/** What was found when the logs of the publishers were compared with what the platform answers. */
export interface Verdict {
  /** Readings acknowledged, and readings stored, those included that were sent but not acknowledged. */
  acknowledged: number;
  stored: number;
  /** Acknowledged readings that are not there, or not with their value, though no fault took them. */
  missing: number;
  /** Of those that the fault itself destroyed, how many are not there. */
  destroyed: number;
  /** Stored readings with a value that was never sent. */
  foreign: number;
  /** Stored readings besides the first of each number. */
  duplicates: number;
  /** Some of what is missing or foreign, to begin the search with. */
  examples: string[];
}

interface Oracle {
  httpUrl: string;
  summaries: readonly Summary[];
  /** Readings that the fault itself destroyed, as `<sensor> <number>`. */
  destroyed?: ReadonlySet<string>;
}

/**
 * Compares what was acknowledged with what is stored, and asserts the promise: nothing acknowledged is missing
 * or changed, nothing is there that was never sent, the backlog is zero, and a fresh write passes. Copies of a
 * reading (`duplicates`) are counted; whether there may be any is the case's to say.
 */
export async function assertKept(oracle: Oracle): Promise<Verdict> {
  await drained(oracle.httpUrl);
  const verdict = await compare(oracle);
  const { missing, foreign, examples } = verdict;
  assert.equal(missing, 0, `${missing} acknowledged readings are missing: ${examples.join(', ')}`);
  assert.equal(foreign, 0, `${foreign} stored values were never sent: ${examples.join(', ')}`);
  await writeFresh(oracle.httpUrl);
  return verdict;
}

/** Waits until every durable cursor is at the end of the log. */
async function drained(httpUrl: string, withinMs = DRAIN_WITHIN_MS): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const backlog = (await metricsOf(httpUrl)).sum('tidemark_spool_backlog_bytes');
    if (backlog === 0) return;
    assert.ok(
      performance.now() < deadlineMs,
      `${backlog} bytes of the spool wait still after ${withinMs} ms`,
    );
    await delay(200);
  }
}

/** The comparison alone, over all publishers. */
async function compare({ httpUrl, summaries, destroyed = new Set() }: Oracle): Promise<Verdict> {
  const verdict: Verdict = {
    acknowledged: 0,
    stored: 0,
    missing: 0,
    destroyed: 0,
    foreign: 0,
    duplicates: 0,
    examples: [],
  };
  for (const { log, sentBy } of summaries) {
    const acknowledged = await readLog(log, sentBy);
    for (const [sensor, sent] of Object.entries(sentBy)) {
      const values = acknowledged.get(sensor)!;
      await compareSensor({ httpUrl, sensor, sent, acknowledged: values, destroyed, verdict });
    }
  }
  return verdict;
}

/** For each sensor the value that was acknowledged for each number; NaN where none was. */
async function readLog(log: string, sentBy: Record<string, number>): Promise<Map<string, Float64Array>> {
  const values = new Map(
    Object.entries(sentBy).map(([sensor, sent]) => [sensor, new Float64Array(sent).fill(Number.NaN)]),
  );
  for await (const line of createInterface({ input: createReadStream(log) })) {
    const [sensor, n, value] = line.split(' ') as [string, string, string];
    values.get(sensor)![Number(n)] = Number(value);
  }
  return values;
}

interface SensorComparison {
  httpUrl: string;
  sensor: string;
  sent: number;
  acknowledged: Float64Array;
  destroyed: ReadonlySet<string>;
  verdict: Verdict;
}

async function compareSensor({
  httpUrl,
  sensor,
  sent,
  acknowledged,
  destroyed,
  verdict,
}: SensorComparison): Promise<void> {
  const seen = new Uint8Array(sent);
  for await (const value of valuesOf(httpUrl, sensor)) {
    verdict.stored++;
    const n = numberOf(value);
    if (n === undefined || n >= sent) {
      verdict.foreign++;
      example(verdict, `${sensor} holds ${value}`);
    } else if (seen[n]) verdict.duplicates++;
    else seen[n] = 1;
  }
  for (const [n, value] of acknowledged.entries()) {
    if (Number.isNaN(value)) continue;
    verdict.acknowledged++;
    if (seen[n]) continue;
    if (destroyed.has(`${sensor} ${n}`)) {
      verdict.destroyed++;
      continue;
    }
    verdict.missing++;
    example(verdict, `${sensor} lacks ${n}`);
  }
}

function example({ examples }: Verdict, text: string): void {
  if (examples.length < NAMED_EXAMPLES) examples.push(text);
}

/** Every stored value of a sensor, a page at a time. */
async function* valuesOf(httpUrl: string, sensor: string): AsyncGenerator<unknown> {
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = new URLSearchParams({ sensor, from: '0', to: 'now+2d', limit: '10000' });
    if (cursor !== '') query.set('cursor', cursor);
    const response = await fetch(`${httpUrl}/api/v1/readings?${query}`);
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    const page = (await response.json()) as { items: { value?: unknown }[]; next: string | null };
    for (const { value } of page.items) yield value;
    cursor = page.next;
  }
}

async function writeFresh(httpUrl: string): Promise<void> {
  const written = await fetch(`${httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sensor: 'oracle-fresh', value: 0.1 }),
  });
  assert.equal(written.status, 200, `a fresh write is answered by ${written.status}`);
  const { ids } = (await written.json()) as { ids: string[] };
  const read = await fetch(`${httpUrl}/api/v1/readings/${encodeURIComponent(ids[0]!)}`);
  assert.equal(((await read.json()) as { value?: unknown }).value, 0.1, 'a fresh write is not there');
}
