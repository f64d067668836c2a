import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildNodes } from '@tidemark/node-red';
import nodeRed from 'node-red';

export type Item = Record<string, unknown>;
export type Message = Item & { payload?: unknown; topic?: string };

interface Status {
  fill?: string;
  shape?: string;
  text?: string;
}

interface StartOptions {
  userDir: string;
  /** A folder of nodes; the checkout's unless set. */
  nodesDir?: string;
  /** With the editor, at `url`. */
  hasEditor?: boolean;
}

/** Node-RED's own runtime in this process; there can be one in a test file. */
export class NodeRed {
  readonly url: string;
  readonly #server: Server;
  readonly #delivered: { id: string; message: Message }[] = [];
  readonly #statuses: { id: string; status: Status }[] = [];
  readonly #waiters = new Set<() => void>();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    nodeRed.hooks.add('onReceive.test', (event: { destination: { id: string }; msg: Message }) => {
      this.#delivered.push({ id: event.destination.id, message: event.msg });
      this.#wake();
    });
    nodeRed.events.on('node-status', ({ id, status }: { id: string; status: Status }) => {
      this.#statuses.push({ id, status });
      this.#wake();
    });
  }

  static async start({ userDir, nodesDir, hasEditor = false }: StartOptions): Promise<NodeRed> {
    const server = createServer((request, response) => void nodeRed.httpAdmin(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    nodeRed.init(server, {
      userDir,
      nodesDir: nodesDir ?? (await buildNodes()),
      flowFile: 'flows.json',
      credentialSecret: 'only for tests',
      disableEditor: !hasEditor,
      functionExternalModules: false,
      externalModules: {
        autoInstall: false,
        palette: { allowInstall: false },
        modules: { allowInstall: false },
      },
      runtimeState: { enabled: true, ui: false },
      editorTheme: { tours: false },
      telemetry: { enabled: false, updateNotification: false },
      logging: { console: { level: 'off', metrics: false, audit: false } },
    } as unknown as Parameters<typeof nodeRed.init>[1]);
    const runtime = new NodeRed(server);
    const started = startedFlows();
    await nodeRed.start();
    await started;
    return runtime;
  }

  /** Replaces the flows; resolves once their nodes are started. */
  async deploy(flows: readonly Item[], deploymentType: 'full' | 'nodes' = 'full'): Promise<void> {
    const started = startedFlows();
    await nodeRed.runtime.flows.setFlows({
      flows: { flows: structuredClone(flows) },
      deploymentType,
    } as unknown as Parameters<typeof nodeRed.runtime.flows.setFlows>[0]);
    await started;
  }

  /** Stops all nodes as a restart does, runs `meanwhile`, and starts them again. */
  async restart(meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const { flows } = nodeRed.runtime as unknown as {
      flows: { setState(options: object): Promise<unknown> };
    };
    await flows.setState({ state: 'stop' });
    await meanwhile();
    const started = startedFlows();
    await flows.setState({ state: 'start' });
    await started;
  }

  /** Gives a message to a node, as a wire would. */
  inject(id: string, message: Message): void {
    const { nodes } = nodeRed as unknown as {
      nodes: { getNode(id: string): { receive(message: Message): void } };
    };
    nodes.getNode(id).receive(structuredClone(message));
  }

  /** What a node has been given so far. */
  messagesOf(id: string): Message[] {
    return this.#delivered.filter((one) => one.id === id).map(({ message }) => message);
  }

  /** The first `count` messages that a node is given. */
  async messages(id: string, count: number): Promise<Message[]> {
    await this.#until(() => this.messagesOf(id).length >= count);
    return this.messagesOf(id).slice(0, count);
  }

  /** The first status of a node, shown or still to come, that satisfies the condition. */
  async status(id: string, condition: (status: Status) => boolean): Promise<Status> {
    const find = () => this.#statuses.find((one) => one.id === id && condition(one.status));
    await this.#until(() => find() !== undefined);
    return find()!.status;
  }

  /** Forgets what was delivered and shown so far. */
  forget(): void {
    this.#delivered.length = 0;
    this.#statuses.length = 0;
  }

  async stop(): Promise<void> {
    nodeRed.hooks.remove('*.test');
    await nodeRed.stop();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiters.add(resolve));
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }
}

function startedFlows(): Promise<unknown> {
  return new Promise((resolve) => nodeRed.events.once('flows:started', resolve));
}
