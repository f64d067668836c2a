import type { Node, NodeAPI, NodeDef, NodeMessageInFlow, NodeStatusFill, NodeStatusShape } from 'node-red';
import type { Fields, SettingsOf } from '../fields/field.ts';
import { migrate, readSettings, type Saved, type Spec } from '../fields/spec.ts';
import { type Server, serverOf } from '../nodes/server/server.ts';

/** Node-RED waits 15 s for a node to close; a platform that does not answer must not use them up. */
const closeTimeoutMs = 5000;

export type Message = NodeMessageInFlow;
/** Messages for each output; null for an output that gets none. */
type Send = (messages: Outgoing | (Outgoing | null)[]) => void;
type Outgoing = Record<string, unknown>;

/** What a node does with its settings. */
export interface Behaviour {
  /** One message; throws what Catch nodes are to get. The message counts as handled once it resolves. */
  onMessage?(message: Message, send: Send): Promise<void> | void;
  /** Ends what was started; `isRemoved` when the node was deleted or disabled, and not just deployed anew. */
  onClose?(isRemoved: boolean): Promise<void> | void;
}

export interface NodeContext<Described extends Fields> {
  RED: NodeAPI;
  node: Node;
  settings: SettingsOf<Described>;
  /** The platform; throws when the node names none. */
  server: () => Server;
  /** Shows a status: a text of the node's catalogue under `status.`, with what stands in its braces. */
  show: (
    fill: NodeStatusFill,
    shape: NodeStatusShape,
    key: string,
    values?: Record<string, string | number>,
  ) => void;
  /** Tells an error that no message is to blame for; it reaches Catch nodes. */
  fail: (error: unknown) => void;
  /** Sends what no message asked for. */
  send: Send;
}

/**
 * Registers a node. Its configuration is migrated and checked; with one that is wrong the node stands there
 * with a red status, and hands the reason to Catch nodes, at the start and for each message.
 */
export function defineNode<Described extends Fields>(
  RED: NodeAPI,
  spec: Spec<Described>,
  create: (context: NodeContext<Described>) => Behaviour,
): void {
  function construct(this: Node, saved: NodeDef & Saved): void {
    RED.nodes.createNode(this, saved);
    const tools = toolsOf(RED, this);
    let behaviour: Behaviour;
    try {
      const config = migrate(spec, saved);
      const server = () => serverOf(RED, config.server);
      behaviour = create({ RED, node: this, settings: readSettings(spec, config), server, ...tools });
    } catch (error) {
      tools.show('red', 'ring', 'misconfigured');
      tools.fail(error);
      behaviour = { onMessage: () => Promise.reject(error) };
    }
    this.on('input', (message, send, done) => {
      handle(behaviour, message, send as Send).then(
        () => done(),
        (error: unknown) => {
          tools.show('red', 'dot', 'failed', { reason: shortened(messageOf(error)) });
          done(asError(error));
        },
      );
    });
    this.on('close', (isRemoved: boolean, done: () => void) => {
      close(behaviour, isRemoved)
        .catch((error: unknown) => this.warn(messageOf(error)))
        .finally(done);
    });
  }
  RED.nodes.registerType(spec.type, construct);
}

/** What was thrown as a sentence, with its causes: `fetch failed` alone tells nobody anything. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : messageOf(error.cause);
  return cause === '' || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}

function toolsOf(RED: NodeAPI, node: Node): Pick<NodeContext<Fields>, 'show' | 'fail' | 'send'> {
  return {
    show: (fill, shape, key, values) =>
      node.status({ fill, shape, text: RED._(`status.${key}`, values ?? {}) }),
    // Catch nodes may not stand yet while this one is made.
    fail: (error) => void setImmediate(() => node.error(messageOf(error), {})),
    send: (messages) => node.send(messages),
  };
}

async function handle(behaviour: Behaviour, message: Message, send: Send): Promise<void> {
  await behaviour.onMessage?.(message, send);
}

async function close(behaviour: Behaviour, isRemoved: boolean): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, closeTimeoutMs);
  });
  await Promise.race([behaviour.onClose?.(isRemoved), late]).finally(() => clearTimeout(timer));
}

function asError(error: unknown): Error {
  const message = messageOf(error);
  if (error instanceof Error && error.message === message) return error;
  return new Error(message, { cause: error });
}

function shortened(reason: string): string {
  return reason.length <= 60 ? reason : `${reason.slice(0, 59)}…`;
}
