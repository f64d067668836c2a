import { measurePlatform, rateOf, row } from './mqtt-publish.ts';
import { median, type Row } from './table.ts';

const RULES = 1000;
/** Of sensors by the last two digits of their ids, so that ten rules are about each. */
const GROUPS = 100;
const WINDOW = 200;
const MESSAGES = 200_000;
const ROUNDS = 5;

/** QoS 1 readings of 10 000 sensors, without rules and with 1 000 of which ten concern each reading, in turns. */
export async function rules(): Promise<Row[]> {
  const load = { window: WINDOW, hasMany: true, messages: MESSAGES };
  const without: Awaited<ReturnType<typeof measurePlatform>>[] = [];
  const under: typeof without = [];
  for (let round = 0; round < ROUNDS; round++) {
    without.push(await measurePlatform(load));
    under.push(await measurePlatform({ ...load, prepare: createRules }));
  }
  const cost = 1 - median(under.map((measured, round) => rateOf(measured) / rateOf(without[round]!)));
  return [
    row('10 000 sensors, no rules', without),
    row(`10 000 sensors, ${RULES} rules, 100 000 series`, under),
    {
      what: 'throughput that rules cost',
      figure: `${(cost * 100).toFixed(0)} %`,
      note: 'target: under 15 %',
    },
  ];
}

/** Thresholds that no reading reaches: what is measured is the evaluation. */
async function createRules(httpUrl: string): Promise<void> {
  for (let index = 0; index < RULES; index++) {
    const rule = {
      id: `rule-${index}`,
      metric: 'temperature',
      sensors: `load-*${String(index % GROUPS).padStart(2, '0')}`,
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
