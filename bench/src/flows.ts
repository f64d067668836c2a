import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Child, runJson, startTidemark } from './process.ts';
import { readingToAction } from './reading-to-action.ts';
import { median, type Row } from './table.ts';

const loader = fileURLToPath(new URL('./mqtt-load.ts', import.meta.url));
const RATE = 5000;
const CONNECTIONS = 20;
const WINDOW = 1000;
const MESSAGES = 25_000;
const ROUNDS = 5;
/** Longer than a load. */
const SPIN_MS = 10_000;
const LOOK_MS = 100;

interface Load {
  p50Ms: number;
  p99Ms: number;
}

/** From a reading to the command of the example flow; and PUBACK at 5 000 readings/s beside Node-RED that rests, and beside one in an endless loop, in turns. */
export async function flows(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const tidemark = await startTidemark(dataDir, {
    TIDEMARK_ROLES: 'broker,ingest,alerts,api,flows',
    TIDEMARK_FLOWS_PORT: '0',
    TIDEMARK_FLOWS_HEARTBEAT_TIMEOUT_MS: '600000',
  });
  try {
    const flowsUrl = await flowsUrlOf(tidemark);
    await untilRule(String(tidemark.ready.httpUrl));
    const action = await readingToAction(Number(tidemark.ready.mqttPort));
    await deploySpin(flowsUrl);
    const publish = (): Promise<Load> =>
      runJson<Load>([loader, ...[tidemark.ready.mqttPort, CONNECTIONS, WINDOW, MESSAGES, RATE].map(String)]);
    await publish();
    const idle: Load[] = [];
    const beside: Load[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      idle.push(await publish());
      await fetch(`${flowsUrl}/inject/begin`, { method: 'POST' });
      beside.push(await publish());
      await untilAnswers(flowsUrl);
    }
    const ratio = median(beside.map(({ p99Ms }, round) => p99Ms / idle[round]!.p99Ms));
    return [
      action,
      row('Node-RED that rests', idle),
      row('Node-RED in an endless loop', beside),
      {
        what: 'PUBACK p99: beside an endless loop / beside rest',
        figure: `${ratio.toFixed(1)}×`,
        note: `load average of the machine at the end ${loadavg()[0]!.toFixed(1)}`,
      },
    ];
  } finally {
    await tidemark.stop();
    await rm(dataDir, { recursive: true });
  }
}

/** Where Node-RED is, once it serves. */
async function flowsUrlOf({ ready }: Child): Promise<string> {
  for (;;) {
    const response = await fetch(`${ready.httpUrl}/health`);
    const { flowsPort } = (await response.json()) as { flowsPort?: number };
    const url = `http://127.0.0.1:${flowsPort}`;
    if (flowsPort !== undefined) {
      await untilAnswers(url);
      return url;
    }
    await delay(LOOK_MS);
  }
}

/** Resolves once the example's threshold node has made its rule. */
async function untilRule(httpUrl: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${httpUrl}/api/v1/rules`);
    const { items } = (await response.json()) as { items: { metric?: string }[] };
    if (items.some(({ metric }) => metric === 'temperature')) return;
    await delay(LOOK_MS);
  }
}

/** A button, and a function that does nothing else for ten seconds. */
async function deploySpin(flowsUrl: string): Promise<void> {
  const nodes = [
    { id: 'tab', type: 'tab', label: 'bench' },
    { id: 'begin', type: 'inject', z: 'tab', props: [], wires: [['spin']] },
    {
      id: 'spin',
      type: 'function',
      z: 'tab',
      func: `const endMs = Date.now() + ${SPIN_MS}; while (Date.now() < endMs) {}`,
      outputs: 1,
      wires: [[]],
    },
  ];
  const response = await fetch(`${flowsUrl}/flows`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(nodes),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
}

async function untilAnswers(url: string): Promise<void> {
  for (;;) {
    const isUp = await fetch(`${url}/settings`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) return;
    await delay(LOOK_MS);
  }
}

function row(what: string, loads: readonly Load[]): Row {
  const [p50, p99] = [loads.map(({ p50Ms }) => p50Ms), loads.map(({ p99Ms }) => p99Ms)].map(median);
  return {
    what: `PUBACK beside ${what}: p50, p99`,
    figure: `${p50!.toFixed(1)}, ${p99!.toFixed(1)} ms`,
    note: '',
  };
}
