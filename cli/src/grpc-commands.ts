import { type Command, Option } from 'commander';
import { withConfig, withOutput } from './command-options.ts';
import type { ObservedServicesOptions } from './example/observed-services.ts';
import type { BenchGrpcOptions } from './grpc-bench/bench-grpc.ts';
import { integerOption, listOption } from './options.ts';

const port = integerOption(0, 65_535);

/** `bench`: what a running platform can do. */
export function addBenchCommand(program: Command): void {
  const bench = program
    .command('bench')
    .description('measure a running platform, which keeps what is written');
  withOutput(withConfig(bench.command('grpc')))
    .description('calls of many workers: writes, streams, lists, single readings')
    .option('--address <address>', "host:port, or https://host:port for TLS (default: the configuration's)")
    .addOption(new Option('--token <token>', 'API token').env('TIDEMARK_TOKEN'))
    .option('--only <list>', 'only these workloads, such as record-100x100,stream-4x1', listOption)
    .action(async (options: BenchGrpcOptions) =>
      (await import('./grpc-bench/bench-grpc.ts')).benchGrpc(options),
    );
}

/** `example`: what runs beside a platform. */
export function addExampleCommand(program: Command): void {
  const example = program.command('example').description('run an example beside a platform');
  withOutput(withConfig(example.command('observed-services')))
    .description('three gRPC services that call each other and send heartbeats, with metrics for Prometheus')
    .option('--address <host:port>', "gRPC of the platform (default: the configuration's)")
    .addOption(new Option('--token <token>', 'API token').env('TIDEMARK_TOKEN'))
    .option(
      '--port <port>',
      'gRPC port of the first service, the others follow; 0 picks free ones',
      port,
      50_061,
    )
    .option('--metrics-port <port>', 'port of the first /metrics, likewise', port, 9461)
    .option('--every-ms <ms>', 'time between two rounds of calls', integerOption(1, 3_600_000), 1000)
    .option(
      '--count <n>',
      'rounds of calls, after which only metrics are served',
      integerOption(1, 1_000_000),
    )
    .action(async (options: ObservedServicesOptions) =>
      (await import('./example/observed-services.ts')).observedServices(options),
    );
}
