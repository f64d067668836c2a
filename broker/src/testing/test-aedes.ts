import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createLogger, createMetrics, type Registry, systemClock } from '@tidemark/core';
import { ClassicLevel } from 'classic-level';
import { BrokerMetrics } from '../metrics.ts';
import { QuietAedes } from '../quiet-aedes.ts';
import type { SessionLimits } from '../session-store.ts';

interface TestAedesOptions extends Partial<Parameters<typeof QuietAedes.open>[0]> {
  /** Where sessions are kept; one that is opened again has what was left there. */
  directory: string;
}

export interface TestAedes {
  aedes: QuietAedes;
  db: ClassicLevel<string, unknown>;
  metrics: Registry;
  url: string;
  /** What the log was told. */
  logged: { msg: string }[];
  stop(): Promise<void>;
}

const limits: SessionLimits = {
  queue: { maxMessages: 100, maxBytes: 1e6 },
  maxExpirySeconds: 60,
  maxAway: 10,
  maxRetained: 10,
};

/** A broker without the platform around it: it takes every message, on a free port. */
export async function startAedes({ directory, ...options }: TestAedesOptions): Promise<TestAedes> {
  const db = new ClassicLevel<string, unknown>(directory, { valueEncoding: 'json' });
  await db.open();
  const metrics = createMetrics();
  const logged: { msg: string }[] = [];
  const write = (line: string): void => void logged.push(JSON.parse(line) as { msg: string });
  const aedes = await QuietAedes.open({
    db,
    limits,
    metrics: new BrokerMetrics(metrics, { connectedClients: () => 0 }),
    clock: systemClock,
    logger: createLogger('error', { write }),
    authorizePublish: (_client, _packet, done) => done(),
    ...options,
  });
  const server = createServer(aedes.handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    server.close();
    await aedes.sessions.stop();
    await db.close();
  };
  return { aedes, db, metrics, url: `mqtt://127.0.0.1:${port}`, logged, stop };
}
