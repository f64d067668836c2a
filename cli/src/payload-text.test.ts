import { expect, it } from 'vitest';
import { payloadText } from './payload-text.ts';

it.each([
  ['text', Buffer.from('{"grüße": "21,5 °C"}\r\n\t1'), '{"grüße": "21,5 °C"}\n\t1'],
  ['nothing', Buffer.from(''), ''],
  ['what is no UTF-8', Buffer.from([0x31, 0xff]), 'hex: 31ff'],
  ['what plays tricks on a terminal', Buffer.from('\u001b[2J'), 'hex: 1b5b324a'],
])('shows %s', (_what, bytes, shown) => {
  expect(payloadText(bytes.toString('base64'))).toBe(shown);
});
