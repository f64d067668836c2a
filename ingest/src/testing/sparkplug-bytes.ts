// Payloads of Sparkplug B written byte by byte, by the numbers of the specification (Eclipse Sparkplug 3.0.0, section 6.4),
// without the codec that reads them.

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export interface TestMetric {
  name?: string;
  alias?: number;
  timestamp?: number;
  datatype?: number;
  isHistorical?: boolean;
  isTransient?: boolean;
  isNull?: boolean;
  int?: bigint | number;
  long?: bigint | number;
  float?: number;
  double?: number;
  boolean?: boolean;
  text?: string;
  bytes?: Buffer;
  dataset?: Buffer;
  template?: Buffer;
}

/** The bytes of a payload. */
export function payloadBytes(payload: { timestamp?: number; seq?: number; metrics?: TestMetric[] }): Buffer {
  return Buffer.concat([
    ...optional(payload.timestamp, (value) => varintField(1, value)),
    ...(payload.metrics ?? []).map((metric) => bytesField(2, metricBytes(metric))),
    ...optional(payload.seq, (value) => varintField(3, value)),
  ]);
}

function metricBytes(metric: TestMetric): Buffer {
  return Buffer.concat([
    ...optional(metric.name, (value) => bytesField(1, Buffer.from(value))),
    ...optional(metric.alias, (value) => varintField(2, value)),
    ...optional(metric.timestamp, (value) => varintField(3, value)),
    ...optional(metric.datatype, (value) => varintField(4, value)),
    ...optional(metric.isHistorical, (value) => varintField(5, Number(value))),
    ...optional(metric.isTransient, (value) => varintField(6, Number(value))),
    ...optional(metric.isNull, (value) => varintField(7, Number(value))),
    ...optional(metric.int, (value) => varintField(10, value)),
    ...optional(metric.long, (value) => varintField(11, value)),
    ...optional(metric.float, (value) => floatField(12, value)),
    ...optional(metric.double, (value) => doubleField(13, value)),
    ...optional(metric.boolean, (value) => varintField(14, Number(value))),
    ...optional(metric.text, (value) => bytesField(15, Buffer.from(value))),
    ...optional(metric.bytes, (value) => bytesField(16, value)),
    ...optional(metric.dataset, (value) => bytesField(17, value)),
    ...optional(metric.template, (value) => bytesField(18, value)),
  ]);
}

function optional<Value>(value: Value | undefined, write: (value: Value) => Buffer): Buffer[] {
  return value === undefined ? [] : [write(value)];
}

function varintField(number: number, value: bigint | number): Buffer {
  return Buffer.concat([tag(number, VARINT), varint(BigInt(value))]);
}

function bytesField(number: number, value: Buffer): Buffer {
  return Buffer.concat([tag(number, BYTES), varint(BigInt(value.length)), value]);
}

function floatField(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([tag(number, FIXED32), bytes]);
}

function doubleField(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(number, FIXED64), bytes]);
}

function tag(number: number, wireType: number): Buffer {
  return varint(BigInt((number << 3) | wireType));
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const more = rest > 0x7fn ? 0x80 : 0;
    bytes.push(Number(rest & 0x7fn) | more);
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}
