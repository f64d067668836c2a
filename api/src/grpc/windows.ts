import type { Window } from '@tidemark/core';
import type { ApiParts } from '../parts.ts';
import { defaultWindowRangeNs, toWindowOptions } from '../window-query.ts';
import type {
  Window as WindowMessage,
  WindowsRequest,
  WindowsResponse,
} from './generated/tidemark/v1/reading_service.ts';
import { toReadingFilter, toTimeRange } from './reading-message.ts';

/** Aggregates of windows, as `GET /api/v1/windows`. */
export async function windows(
  { engine, clock }: ApiParts,
  { filter, everyNs, functions, by, fill, timeZone }: WindowsRequest,
): Promise<WindowsResponse> {
  const times = toTimeRange(filter, { fromNs: (toNs) => toNs - defaultWindowRangeNs, toNs: clock.nowNs() });
  const options = toWindowOptions(
    {
      every: everyNs === 0n ? undefined : `${everyNs}ns`,
      fn: functions.length === 0 ? undefined : functions,
      by,
      fill: fill === '' ? 'none' : fill,
      tz: timeZone === '' ? undefined : timeZone,
    },
    times,
  );
  const found = await engine.windows({ ...toReadingFilter(filter), ...times, ...options });
  return { windows: Array.from(found, toMessage), count: found.length, isEmpty: found.length === 0 };
}

function toMessage({ timeNs, metric, sensor, location, values }: Window): WindowMessage {
  const numbers = new Map<string, number>();
  for (const [fn, value] of values) if (value !== null) numbers.set(fn, value);
  return { timeNs, metric, sensor, location: location ?? undefined, values: numbers };
}
