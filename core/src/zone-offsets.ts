import { messageOf, TidemarkError } from './errors.ts';
import { floorDivide, NS_PER_MS, NS_PER_SECOND } from './time.ts';

/**
 * What a zone's clocks are ahead of UTC, in ns, at a time. Throws `bad_request` for a zone that has no IANA name.
 */
export function zoneOffsets(timeZone: string): (timeNs: bigint) => bigint {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  } catch (cause) {
    throw new TidemarkError('bad_request', `no such time zone: ${JSON.stringify(timeZone)}`, {
      cause: messageOf(cause),
      issues: [{ path: 'tz', message: 'no such time zone' }],
    });
  }
  return (timeNs) => {
    const text = format.format(Number(floorDivide(timeNs, NS_PER_MS)));
    // "GMT" alone is UTC; seconds occur in Liberia until 1972.
    const [, sign, hours, minutes, seconds] = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(text) ?? [];
    const size = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0);
    return BigInt(sign === '-' ? -size : size) * NS_PER_SECOND;
  };
}
