import { asBuffer, parseJson, type QuarantineReason, stringifyJson } from '@tidemark/core';

/** Something refused, on its way through the log to the quarantine. */
export interface RefusedPart {
  source: string;
  topic: string;
  reason: QuarantineReason;
  detail: string;
  sensor?: string | undefined;
  timeNs: bigint;
  payload: Uint8Array;
}

/** A refusal as a record's text. */
export function encodeRefusal({
  source,
  topic,
  reason,
  detail,
  sensor,
  timeNs,
  payload,
}: RefusedPart): string {
  const base64 = asBuffer(payload).toString('base64');
  return stringifyJson({ source, topic, reason, detail, sensor, timeNs, payload: base64 });
}

export function decodeRefusal(text: string): RefusedPart {
  const { payload, timeNs, ...rest } = parseJson(text) as RefusedPart & { payload: unknown };
  return { ...rest, timeNs: BigInt(timeNs), payload: Buffer.from(String(payload), 'base64') };
}
