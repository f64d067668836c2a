import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Admin } from '@platformatic/kafka';
import { onTestFinished } from 'vitest';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';
import { tempDir } from './temp-dir.ts';

/** The folder with Kafka's `libs`, when that and Java are there; `.ci/install-kafka` fetches it. */
export const kafkaHome = ((home) =>
  home !== undefined && existsSync(join(home, 'libs')) && findProgram('java') ? home : undefined)(
  process.env.KAFKA_HOME,
);

const CLUSTER_ID = 'dGlkZW1hcmstdGVzdC1jbHVz';

/** One real node of Kafka in KRaft mode on loopback, with a folder of its own; it ends with the test. */
export class Kafka {
  readonly brokers: string;
  readonly #config: string;
  #child: ChildProcess | undefined;

  private constructor(brokers: string, config: string) {
    this.brokers = brokers;
    this.#config = config;
  }

  /**
   * `settings` are further lines of its `server.properties`, in which `{port}` and `{controllerPort}` stand for those of
   * its listeners; `users` are given to SCRAM.
   */
  static async start(
    topics: readonly { topic: string; partitions: number }[],
    settings: readonly string[] = [],
    users: readonly string[] = [],
  ): Promise<Kafka> {
    const folder = await tempDir();
    const [port, controllerPort] = [await freePort(), await freePort()];
    const config = join(folder, 'server.properties');
    const lines = [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      'controller.listener.names=CONTROLLER',
      `log.dirs=${folder}/data`,
      'offsets.topic.replication.factor=1',
      'offsets.topic.num.partitions=1',
      'group.initial.rebalance.delay.ms=0',
      'auto.create.topics.enable=false',
      ...settings.map((line) =>
        line.replace('{port}', String(port)).replace('{controllerPort}', String(controllerPort)),
      ),
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    const kafka = new Kafka(`127.0.0.1:${port}`, config);
    const scram = users.flatMap((user) => ['--add-scram', user]);
    const format = java('kafka.tools.StorageTool', ['format', '-t', CLUSTER_ID, '-c', config, ...scram]);
    const { status, stderr } = spawnSync(format[0]!, format.slice(1), { encoding: 'utf8' });
    if (status !== 0) throw new Error(`Kafka's storage was not formatted: ${stderr}`);
    await kafka.run();
    onTestFinished(() => kafka.kill());
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [kafka.brokers] });
    for (const { topic, partitions } of topics)
      await admin.createTopics({ topics: [topic], partitions, replicas: 1 });
    await admin.close();
    return kafka;
  }

  /** Starts the node, again after `kill`, with what it has kept. */
  async run(): Promise<void> {
    const [program, ...args] = java('kafka.Kafka', [this.#config]);
    const child = spawn(program!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-4000);
    });
    for (;;) {
      if (child.exitCode !== null) throw new Error(`Kafka ended with ${child.exitCode}: ${errors}`);
      const admin = new Admin({
        clientId: 'test',
        bootstrapBrokers: [this.brokers],
        retries: 0,
        connectTimeout: 500,
      });
      const isUp = await admin.listTopics().then(
        () => true,
        () => false,
      );
      await admin.close().catch(() => {});
      if (isUp) return;
    }
  }

  /** Ends it as `kill -9` does. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

function java(main: string, args: readonly string[]): string[] {
  return ['java', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', `${kafkaHome}/libs/*`, main, ...args];
}
