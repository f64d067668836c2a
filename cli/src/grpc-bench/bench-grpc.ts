import { TidemarkError } from '@tidemark/core';
import { authority } from '../connection.ts';
import { type OutputOptions, printJson, printNotice } from '../progress.ts';
import { readSecret } from '../secrets.ts';
import { loadSettings } from '../settings.ts';
import { toTable } from '../table.ts';
import { Channel } from './channel.ts';
import { runLoad } from './load.ts';
import { type Workload, workloads } from './workloads.ts';

const CONNECTIONS = 4;

export interface BenchGrpcOptions extends OutputOptions {
  address?: string;
  token?: string;
  config?: string;
  only?: string[];
}

/** Measures a running platform's gRPC by the workloads, one after another; its readings stay, as sensors `bench-…`. */
export async function benchGrpc(options: BenchGrpcOptions): Promise<void> {
  const { url, token } = grpcConnection(options);
  const chosen = chosenWorkloads(options.only);
  const results: Record<string, unknown>[] = [];
  for (const workload of chosen) {
    printNotice(options, `${workload.what} …`);
    const result = await measure(workload, url, token);
    if (options.json) printJson(result);
    else results.push(rounded(result));
  }
  if (!options.json && !options.quiet) process.stdout.write(toTable(results));
}

async function measure(
  workload: Workload,
  url: string,
  token: string | undefined,
): Promise<Record<string, unknown>> {
  const count = Math.min(CONNECTIONS, workload.workers);
  const channels = await Promise.all(Array.from({ length: count }, () => Channel.open(url, token)));
  try {
    const load = await runLoad(channels, workload);
    const { name, what, unit } = workload;
    return { name, what, unit, perSecond: load[unit] / load.seconds, ...load };
  } finally {
    for (const channel of channels) channel.close();
  }
}

function chosenWorkloads(only: readonly string[] | undefined): readonly Workload[] {
  if (only === undefined) return workloads;
  return only.map((name) => {
    const found = workloads.find((workload) => workload.name === name);
    if (found !== undefined) return found;
    const names = workloads.map((workload) => workload.name).join(', ');
    throw new TidemarkError('bad_request', `there is no workload ${name}; there are ${names}`);
  });
}

/** Where to call: as told, else the platform of this configuration with its own token. */
function grpcConnection({ address, token, config: file }: BenchGrpcOptions): {
  url: string;
  token: string | undefined;
} {
  if (address !== undefined) return { url: address.includes('://') ? address : `http://${address}`, token };
  const { host, grpc, dataDir } = loadSettings({ file });
  const scheme = grpc.tlsCert === '' ? 'http' : 'https';
  return {
    url: `${scheme}://${authority(host, grpc.port)}`,
    token: token ?? readSecret(dataDir, 'api-token'),
  };
}

function rounded({ what, unit, perSecond, p50Ms, p99Ms }: Record<string, unknown>): Record<string, unknown> {
  return {
    workload: what,
    'per second': Math.round(Number(perSecond)),
    of: unit,
    'p50 ms': Number(Number(p50Ms).toFixed(1)),
    'p99 ms': Number(Number(p99Ms).toFixed(1)),
  };
}
