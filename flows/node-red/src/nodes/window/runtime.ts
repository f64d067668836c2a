import type { NodeAPI } from 'node-red';
import { defineNode } from '../../runtime/define-node.ts';
import { spec } from './spec.ts';
import { rollingWindow } from './window.ts';

export default function register(RED: NodeAPI): void {
  defineNode(RED, spec, rollingWindow);
}
