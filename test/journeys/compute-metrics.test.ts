import { afterAll, beforeAll, expect, it } from 'vitest';
import { type NewStore, onBothStores } from '../support/both-stores.ts';
import { startPlatformInProcess } from '../support/platform-in-process.ts';

// Three sensors that report whole numbers each second from 15:11:59 to 15:13:01; the minute asked for is within.
const times = Array.from({ length: 63 }, (_, second) =>
  new Date(Date.UTC(2020, 0, 13, 15, 11, 59 + second)).toISOString(),
);
const numberAt = (metric: string, second: number) => (second * second * metric.length + 7 * second) % 101;
const readings = times.flatMap((time, second) =>
  ['temperature', 'humidity', 'pressure'].map((metric) => ({
    sensor: `${metric}-sensor`,
    time,
    [metric]: numberAt(metric, second),
    note: 'text',
  })),
);
/** Of the 61 seconds of the minute, its end included. */
const minuteOf = (metric: string) => times.slice(1, 62).map((_, index) => numberAt(metric, index + 1));
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const range = { from: '2020-01-13 15:12:00', to: '2020-01-13 15:13:00' };

onBothStores(journey);

function journey(newStore: NewStore): void {
  let platform: Awaited<ReturnType<typeof startPlatformInProcess>>;

  beforeAll(async () => {
    platform = await startPlatformInProcess(await newStore());
    // Twice: what is sent again is the same reading.
    for (let time = 1; time <= 2; time++) {
      expect((await post('/api/v1/readings', readings)).status).toBe(200);
    }
  });
  afterAll(() => platform?.stop());

  async function post(path: string, body: unknown, contentType = 'application/json') {
    const response = await fetch(`http://127.0.0.1:${platform.address.httpPort}${path}`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, json: await response.json() };
  }
  const compute = (body: unknown) => post('/compute/metrics', body);

  it('computes what is asked of each metric, both ends of the window included', async () => {
    const asked = { temperature: ['count', 'min'], humidity: ['average', 'max'], ...range };
    const [temperature, humidity] = [minuteOf('temperature'), minuteOf('humidity')];
    expect(await compute(asked)).toEqual({
      status: 200,
      json: {
        result: {
          temperature: { count: 61, min: Math.min(...temperature) },
          humidity: { average: sum(humidity) / 61, max: Math.max(...humidity) },
        },
        errors: [],
      },
    });
  });

  it('knows every function of windows, and average as another name of mean', async () => {
    const values = minuteOf('pressure');
    const sorted = values.toSorted((a, b) => a - b);
    const mean = sum(values) / 61;
    const expected: Record<string, number> = {
      average: mean,
      mean,
      count: 61,
      sum: sum(values),
      min: sorted[0]!,
      max: sorted[60]!,
      median: sorted[30]!,
      stddev: Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / 60),
      spread: sorted[60]! - sorted[0]!,
      first: values[0]!,
      last: values[60]!,
      rate: (values[60]! - values[0]!) / 60,
      distinct: new Set(values).size,
      p1: sorted[Math.floor(0.61 + 0.5) - 1]!,
      'p99.9': sorted[60]!,
    };
    const { json } = await compute({ pressure: Object.keys(expected), ...range });
    const { pressure } = json.result;
    expect(Object.keys(pressure)).toEqual(Object.keys(expected));
    for (const [fn, value] of Object.entries(expected)) expect(pressure[fn], fn).toBeCloseTo(value, 9);
  });

  it('adds up all sensors that have the metric', async () => {
    const others = times.flatMap((time) =>
      ['second', 'third'].map((sensor) => ({ sensor, time, altitude: 100 })),
    );
    await post('/api/v1/readings', others);
    expect((await compute({ altitude: ['count', 'sum'], ...range })).json.result).toEqual({
      altitude: { count: 122, sum: 12_200 },
    });
  });

  it('tells unknown metrics and keys in the order of the body, and computes the rest', async () => {
    const body = `{"zeta": ["count"], "7": 1, "temperature": ["wrongMetric", "count"], "wrongKey": ["count"],
      "note": ["count"], "from": "${range.from}", "to": "${range.to}"}`;
    expect(await compute(body)).toEqual({
      status: 200,
      json: {
        result: { temperature: { count: 61 } },
        errors: [
          'Unexpected key zeta in the request body',
          'Unexpected key 7 in the request body',
          'Unexpected metric wrongMetric to compute for the sensor temperature',
          'Unexpected key wrongKey in the request body',
          'Unexpected key note in the request body',
        ],
      },
    });
  });

  it('answers 400 when nothing in the body is right', async () => {
    expect(await compute({ temperature: ['wrongMetric'], wrongKey: ['min'], ...range })).toEqual({
      status: 400,
      json: {
        result: {},
        errors: [
          'Unexpected metric wrongMetric to compute for the sensor temperature',
          'Unexpected key wrongKey in the request body',
        ],
      },
    });
  });

  it('counts 0 in a window without readings, and has no other value there', async () => {
    const empty = { from: '2019-01-01 00:00:00', to: '2019-01-02 00:00:00' };
    const asked = {
      temperature: ['count', 'min', 'sum', 'distinct', 'p50'],
      humidity: ['average'],
      ...empty,
    };
    expect(await compute(asked)).toEqual({
      status: 200,
      json: {
        result: {
          temperature: { count: 0, min: null, sum: null, distinct: null, p50: null },
          humidity: { average: null },
        },
        errors: [],
      },
    });
  });

  it.each<[string, unknown, RegExp]>([
    ['a missing from', { temperature: ['count'], to: range.to }, /^Missing key from in the request body$/],
    [
      'an unreadable to',
      { temperature: ['count'], ...range, to: 'noon' },
      /^Unexpected value noon .* key to /,
    ],
    [
      'a list that is none',
      { temperature: 'count', ...range },
      /^Unexpected value count .* key temperature /,
    ],
    ['an array', [1], /^Unexpected request body: write a JSON object$/],
    ['a trailing comma', '{\n  "temperature": ["count"],\n}', /\(line 3, column 1\)/],
    ['nesting without end', `{"from": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`, /key from/],
  ])('answers 400 to %s, and says so', async (_name, body, message) => {
    const { status, json } = await compute(body);
    expect({ status, result: json.result }).toEqual({ status: 400, result: {} });
    expect(json.errors[0]).toMatch(message);
  });

  it('reads JSON alone', async () => {
    const answer = await post('/compute/metrics', 'temperature=count', 'application/x-www-form-urlencoded');
    expect(answer).toMatchObject({ status: 415, json: { code: 'unsupported_media_type' } });
  });
}
