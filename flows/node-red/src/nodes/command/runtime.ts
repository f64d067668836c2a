import type { NodeAPI } from 'node-red';
import { defineNode } from '../../runtime/define-node.ts';
import { command } from './command.ts';
import { spec } from './spec.ts';

export default function register(RED: NodeAPI): void {
  defineNode(RED, spec, command);
}
