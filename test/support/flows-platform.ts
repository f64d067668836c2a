import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Item, NodeRed } from './node-red.ts';
import { startPlatformInProcess } from './platform-in-process.ts';

/** A platform, and a Node-RED whose environment names it, as that of the flows' child does. */
export interface TestFlows {
  nodeRed: NodeRed;
  mqttUrl: string;
  httpUrl: string;
  /** Asks the API; resolves with status and body. */
  ask(method: string, path: string, body?: unknown): Promise<{ status: number; json: Item }>;
  /** Posts readings, which must all be accepted. */
  post(readings: unknown): Promise<void>;
  stop(): Promise<void>;
}

export async function startFlows(options: { hasEditor?: boolean } = {}): Promise<TestFlows> {
  const platform = await startPlatformInProcess({});
  const { mqttPort, httpPort } = platform.address;
  const mqttUrl = `mqtt://127.0.0.1:${mqttPort}`;
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  process.env.TIDEMARK_FLOWS_API_URL = httpUrl;
  process.env.TIDEMARK_FLOWS_MQTT_URL = mqttUrl;
  const userDir = await mkdtemp(join(tmpdir(), 'tidemark-flows-'));
  const nodeRed = await NodeRed.start({ userDir, ...options });
  const ask: TestFlows['ask'] = async (method, path, body) => {
    const response = await fetch(`${httpUrl}${path}`, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    const text = await response.text();
    return { status: response.status, json: text === '' ? {} : (JSON.parse(text) as Item) };
  };
  return {
    nodeRed,
    mqttUrl,
    httpUrl,
    ask,
    post: async (readings) => {
      const { status, json } = await ask('POST', '/api/v1/readings', readings);
      if (status !== 200) throw new Error(JSON.stringify(json));
    },
    stop: async () => {
      await nodeRed.stop();
      await platform.stop();
      await rm(userDir, { recursive: true, force: true });
    },
  };
}
