import { durationMs } from '../../fields/duration.ts';
import type { Behaviour, Message, NodeContext } from '../../runtime/define-node.ts';
import { type Aggregate, type Reach, Series } from './series.ts';
import type { spec } from './spec.ts';

/** Each may hold 10 000 samples. */
const maxSeries = 1000;

/** Aggregates the values of each topic over a window that rolls with the times of the values. */
export function rollingWindow({ settings, show }: NodeContext<typeof spec.fields>): Behaviour {
  const { fn, by, length, size } = settings;
  const reach: Reach = by === 'time' ? { lengthMs: durationMs(length!)! } : { size };
  const table = new Map<string, Series>();
  return {
    onMessage(message, send) {
      const topic = String(message.topic ?? '');
      const value = numberIn(message.payload);
      const timeMs = timeOf(message);
      const series = table.get(topic) ?? new Series(reach);
      if (!table.has(topic)) makeRoom(table, { reach, timeMs });
      series.add(timeMs, value);
      table.set(topic, series);
      const window = series.aggregate();
      show('green', 'dot', 'series', { count: table.size });
      send({ ...message, payload: window[fn], window: shown(window) });
    },
  };
}

/** Forgets series whose windows have ended, when there are too many; throws when all of them last. */
function makeRoom(table: Map<string, Series>, { reach, timeMs }: { reach: Reach; timeMs: number }): void {
  if (table.size < maxSeries) return;
  if ('lengthMs' in reach)
    for (const [topic, series] of table) if (series.newestMs <= timeMs - reach.lengthMs) table.delete(topic);
  if (table.size >= maxSeries)
    throw new Error(`${maxSeries} topics have a window already: use several nodes, or a query`);
}

function shown({ fromMs, toMs, ...aggregate }: Aggregate) {
  return { ...aggregate, from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}

function numberIn(payload: unknown): number {
  if (typeof payload === 'boolean') return payload ? 1 : 0;
  const isText = typeof payload === 'string' && payload.trim() !== '';
  const value = typeof payload === 'number' || isText ? Number(payload) : Number.NaN;
  if (Number.isFinite(value)) return value;
  throw new Error(`msg.payload must be a number; it is ${JSON.stringify(payload)?.slice(0, 100)}`);
}

/** The time of the reading, else `msg.time`, else now. */
function timeOf({ reading, time }: Message): number {
  const given = (reading as { time?: unknown } | undefined)?.time ?? time;
  if (given === undefined) return Date.now();
  const timeMs = typeof given === 'number' ? given : Date.parse(String(given));
  if (Number.isFinite(timeMs) && Math.abs(timeMs) <= 8.64e15) return timeMs;
  throw new Error(`msg.time must be RFC 3339 or milliseconds since 1970; it is ${JSON.stringify(given)}`);
}
