import { isUtf8 } from 'node:buffer';

/** A payload for a person: its text where it is UTF-8 that a terminal can show, else its bytes as `hex: …`. */
export function payloadText(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  const text = bytes.toString('utf8').replaceAll('\r\n', '\n');
  const isShowable = isUtf8(bytes) && !/[^\P{Cc}\t\n]/u.test(text);
  return isShowable ? text : `hex: ${bytes.toString('hex')}`;
}
