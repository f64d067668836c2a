import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { buildNodes } from '@tidemark/node-red';
import RED from 'node-red';
import type { ChildSettings } from '../messages.ts';
import { ensureFirstFlows } from './first-flows.ts';
import { type FrontDoor, say } from './front-door.ts';
import type { LineBudget } from './line-budget.ts';
import { nodeRedSettings } from './settings.ts';

interface NodeRedParts {
  settings: ChildSettings;
  door: FrontDoor;
  lines: LineBudget;
}

/** What there is of Node-RED's own modules behind its types. */
interface FlowConfig {
  flows: { type: string; disabled?: boolean; d?: boolean }[];
}

/** Node-RED itself: its runtime, its editor, and the HTTP nodes of flows. */
export class NodeRed {
  readonly #parts: NodeRedParts;
  #received = 0;
  #counts = { flows: 0, nodes: 0 };

  constructor(parts: NodeRedParts) {
    this.#parts = parts;
  }

  get version(): string {
    return String(currentSettings().version);
  }

  /** False in safe mode, until something is deployed. */
  get areFlowsRunning(): boolean {
    return currentSettings().safeMode !== true;
  }

  /** Flows that are deployed and not disabled, and nodes. */
  get counts(): { flows: number; nodes: number } {
    return this.#counts;
  }

  /** Resolves when the editor can be used; flows start by themselves. */
  async start(): Promise<void> {
    const { door, lines, settings } = this.#parts;
    const nodesDir = await buildNodes();
    if (settings.hasExamples) {
      const examplesDir = join(nodesDir, 'examples');
      const count = await ensureFirstFlows({ userDir: settings.userDir, examplesDir });
      if (count > 0) lines.tell('info', `begins with ${count} example flows`);
    }
    // The types know no handler for logs.
    RED.init(
      door.inner,
      nodeRedSettings({ ...this.#parts, nodesDir }) as unknown as Parameters<typeof RED.init>[1],
    );
    // With one parameter: a hook of none is waited for as if it took a callback.
    RED.hooks.add('onReceive.tidemark', (_event) => {
      this.#received += 1;
    });
    RED.events.on('flows:started', () => this.#count());
    await RED.start();
    this.#count();
    door.serve((request, response) => this.#answer(request, response));
  }

  stop(): Promise<void> {
    return RED.stop();
  }

  /** Messages that nodes received since it was asked last. */
  takeReceived(): number {
    const received = this.#received;
    this.#received = 0;
    return received;
  }

  /** The editor first; what it does not know is for the HTTP nodes, behind the login. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { door } = this.#parts;
    const [admin, nodes] = [RED.httpAdmin, RED.httpNode] as unknown as Middleware[];
    const notFound = (): void => say(response, 404, `there is no ${request.url?.split('?')[0]}`);
    admin!(request, response, () => {
      if (door.isAllowed(request)) nodes!(request, response, notFound);
      else say(response, 401, 'a login is needed', { 'www-authenticate': 'Basic realm="Tidemark flows"' });
    });
  }

  #count(): void {
    const { flows } = (RED.nodes as unknown as { getFlows(): FlowConfig | null }).getFlows() ?? { flows: [] };
    const isOf = (type: string) => flows.filter((one) => one.type === type && !one.disabled).length;
    const structure = ['tab', 'subflow', 'group', 'comment', 'junction'];
    const nodes = flows.filter(({ type, d }) => !structure.includes(type) && d !== true).length;
    this.#counts = { flows: isOf('tab'), nodes };
  }
}

/** Node-RED's settings as they are now: it takes `safeMode` away when something is deployed. */
function currentSettings(): { version?: unknown; safeMode?: unknown } {
  return RED.settings as { version?: unknown; safeMode?: unknown };
}

type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
