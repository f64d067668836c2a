import { asBuffer } from './as-buffer.ts';
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
    payload: asBuffer(payload).toString('base64'),
    sensor: sensor ?? null,
  };
}
