import { READINGS, tagOf } from '@tidemark/core';
import type { Decoded } from './decoded.ts';

/** Only what brings a time that is kept: not what would be stamped, as the readings of a sensor whose clock is not trusted. */
export function withOwnTimes(
  { readings, lines, positions, faults }: Decoded,
  isServerTimed: (sensor: string) => boolean,
): Decoded {
  const isTimed = ({ sensor, timeNs }: { sensor: string; timeNs: bigint | undefined }): boolean =>
    timeNs !== undefined && !isServerTimed(sensor);
  return {
    readings: readings.filter(isTimed),
    ...(positions && { positions: positions.filter(isTimed) }),
    lines: lines.filter(({ point: { measurement, tags, timeNs } }) => {
      const sensor = measurement === READINGS ? tagOf(tags, 'sensor') : undefined;
      return timeNs !== undefined && !(sensor !== undefined && isServerTimed(sensor));
    }),
    faults,
  };
}
