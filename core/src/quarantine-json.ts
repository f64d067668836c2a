import type { QuarantineItem } from './ports.ts';
import { formatTime } from './time.ts';

/** A refusal as the API and the topic `quarantine/<source>` show it. */
export function quarantineItemToJson({
  id,
  timeNs,
  source,
  topic,
  reason,
  detail,
  payload,
  sensor,
}: QuarantineItem) {
  return {
    id,
    time: formatTime(timeNs),
    source,
    topic,
    reason,
    detail,
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64'),
    sensor: sensor ?? null,
  };
}
