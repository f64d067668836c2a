import type { Node, NodeAPI } from 'node-red';
import { ConfigError } from '../../fields/spec.ts';
import type { Api } from '../../platform/api.ts';
import type { MqttLink } from '../../platform/mqtt-link.ts';

/** What a `tidemark-server` node has for the nodes that name it. */
export interface Server {
  readonly api: Api;
  readonly mqtt: MqttLink;
}

export interface ServerNode extends Node {
  /** Undefined when the node's own configuration is wrong, which it has told. */
  server?: Server;
}

/** The platform that the node with this id stands for; throws `ConfigError` when there is none to be had. */
export function serverOf(RED: NodeAPI, id: unknown): Server {
  const node = RED.nodes.getNode(String(id ?? '')) as ServerNode | null;
  if (node === null || node === undefined)
    throw new ConfigError('server is missing: choose or add a Tidemark server, and enable it');
  if (node.server === undefined)
    throw new ConfigError('the Tidemark server of this node is not configured as it must be');
  return node.server;
}
