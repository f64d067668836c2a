import { setInterval } from 'node:timers/promises';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { authority } from '../connection.ts';
import { untilInterrupted } from '../interrupt.ts';
import { type OutputOptions, printJson } from '../progress.ts';
import { readSecret } from '../secrets.ts';
import { loadSettings } from '../settings.ts';
import { clientOf, edgeImplementation, nameImplementation, timeImplementation } from './calls.ts';
import { call, EdgeService, NameService, TimeService } from './definitions.ts';
import { ObservedService } from './observed-service.ts';

/** Every so many names is empty, so that there are errors to see. */
const EMPTY_NAME_EVERY = 10;
const names = ['Ada', 'Grace', 'Hedy', 'Radia'];

export interface ObservedServicesOptions extends OutputOptions {
  address?: string;
  token?: string;
  config?: string;
  port: number;
  metricsPort: number;
  everyMs: number;
  count?: number;
}

interface Made {
  greeted: number;
  refused: number;
  beats: number;
  lostBeats: number;
}

/**
 * Runs an edge, a time and a name service that call each other by gRPC and send heartbeats, each with metrics of its own,
 * until Ctrl-C.
 */
export async function observedServices(options: ObservedServicesOptions): Promise<void> {
  const { platformAddress, token } = platformOf(options);
  const edge = new ObservedService();
  const time = new ObservedService();
  const name = new ObservedService();
  const services = { edge, time, name };
  await untilInterrupted(async (signal) => {
    try {
      await time.start({
        definition: TimeService,
        implementation: timeImplementation,
        ...portsOf(options, 1),
      });
      await name.start({
        definition: NameService,
        implementation: nameImplementation,
        ...portsOf(options, 2),
      });
      const implementation = edgeImplementation({
        metrics: edge.metrics,
        timeAddress: time.address,
        nameAddress: name.address,
        platformAddress,
        token,
      });
      await edge.start({ definition: EdgeService, implementation, ...portsOf(options, 0) });
      announce(services, platformAddress, options);
      await onSchedule(services, options, signal);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    } finally {
      for (const service of Object.values(services)) service.stop();
    }
  });
}

type Services = Record<'edge' | 'time' | 'name', ObservedService>;

/** Every so often a greeting, and a heartbeat of each service that the edge asks. */
async function onSchedule(
  { edge, time, name }: Services,
  { everyMs, count, json, quiet }: ObservedServicesOptions,
  signal: AbortSignal,
): Promise<void> {
  const made: Made = { greeted: 0, refused: 0, beats: 0, lostBeats: 0 };
  const visitor = clientOf(EdgeService, edge.address, edge.metrics);
  const senders: [string, Client][] = [
    ['example-time', clientOf(EdgeService, edge.address, time.metrics)],
    ['example-name', clientOf(EdgeService, edge.address, name.metrics)],
  ];
  const round = async (n: number) => {
    const asked = n % EMPTY_NAME_EVERY === EMPTY_NAME_EVERY - 1 ? '' : names[n % names.length]!;
    const greeting = await call<object, { greeting: string }>(visitor, 'Greet', { name: asked }).then(
      (answer) => answer.greeting,
      (error: ServiceError) => error,
    );
    if (typeof greeting === 'string') made.greeted += 1;
    else made.refused += 1;
    if (!json && !quiet)
      process.stdout.write(`${typeof greeting === 'string' ? greeting : greeting.message}\n`);
    const sent = await Promise.allSettled(
      senders.map(([service, client]) => call(client, 'Beat', { service })),
    );
    for (const { status } of sent) made[status === 'fulfilled' ? 'beats' : 'lostBeats'] += 1;
  };
  try {
    for await (const n of counted(setInterval(everyMs, undefined, { signal }))) {
      await round(n);
      if (n + 1 === count) break;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (json) printJson({ event: 'done', ...made });
}

async function* counted(ticks: AsyncIterable<unknown>): AsyncGenerator<number> {
  let n = 0;
  for await (const _tick of ticks) yield n++;
}

function announce(services: Services, platformAddress: string, { json, quiet }: OutputOptions): void {
  const targets = Object.values(services).map(({ metricsAddress }) => metricsAddress);
  if (json) {
    const addresses = Object.entries(services).map(([name, { address }]) => [name, address]);
    printJson({ event: 'ready', targets, platformAddress, addresses: Object.fromEntries(addresses) });
  } else if (!quiet) {
    process.stdout.write(`edge, time and name services call each other; heartbeats go to the platform at ${platformAddress}
  metrics for Prometheus: ${targets.map((target) => `http://${target}/metrics`).join(', ')}
Ctrl-C stops them.
`);
  }
}

function portsOf({ port, metricsPort }: ObservedServicesOptions, index: number) {
  return {
    port: port === 0 ? 0 : port + index,
    metricsPort: metricsPort === 0 ? 0 : metricsPort + index,
  };
}

function platformOf({ address, token, config: file }: ObservedServicesOptions) {
  if (address !== undefined) return { platformAddress: address, token };
  const { host, grpc, dataDir } = loadSettings({ file });
  return { platformAddress: authority(host, grpc.port), token: token ?? readSecret(dataDir, 'api-token') };
}
