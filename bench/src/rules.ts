import { measurePlatform, rateOf, row } from './mqtt-publish.ts';
import { median, type Row } from './table.ts';

const RULES = 1000;
/** A rule is about the sensors whose ids end with these many digits of its number: one rule about each sensor, or ten. */
const DIGITS = { one: 3, ten: 2 };
const WINDOW = 200;
const MESSAGES = 200_000;
const ROUNDS = 5;

/** QoS 1 readings of 10 000 sensors, without rules and with 1 000 of which one or ten concern each reading, in turns. */
export async function rules(): Promise<Row[]> {
  const load = { window: WINDOW, hasMany: true, messages: MESSAGES };
  const without: Awaited<ReturnType<typeof measurePlatform>>[] = [];
  const one: typeof without = [];
  const ten: typeof without = [];
  for (let round = 0; round < ROUNDS; round++) {
    without.push(await measurePlatform(load));
    one.push(await measurePlatform({ ...load, prepare: (httpUrl) => createRules(httpUrl, DIGITS.one) }));
    ten.push(await measurePlatform({ ...load, prepare: (httpUrl) => createRules(httpUrl, DIGITS.ten) }));
  }
  const costOf = (under: typeof without): string => {
    const cost = 1 - median(under.map((measured, round) => rateOf(measured) / rateOf(without[round]!)));
    return `${(cost * 100).toFixed(0)} %`;
  };
  return [
    row('10 000 sensors, no rules', without),
    row(`10 000 sensors, ${RULES} rules, 10 000 series`, one),
    row(`10 000 sensors, ${RULES} rules, 100 000 series`, ten),
    { what: 'throughput that 10 000 series cost', figure: costOf(one), note: 'target: under 15 %' },
    { what: 'throughput that 100 000 series cost', figure: costOf(ten), note: '' },
  ];
}

/** Thresholds that no reading reaches: what is measured is the evaluation. */
async function createRules(httpUrl: string, digits: number): Promise<void> {
  for (let index = 0; index < RULES; index++) {
    const rule = {
      id: `rule-${index}`,
      metric: 'temperature',
      sensors: `load-*${String(index % 10 ** digits).padStart(digits, '0')}`,
      above: 50 + index,
      clear: 45,
      for: '1m',
    };
    const response = await fetch(`${httpUrl}/api/v1/rules?unknownMetric=allow`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(rule),
    });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  }
}
