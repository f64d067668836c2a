import type { NodeAPI } from 'node-red';
import { defineNode } from '../../runtime/define-node.ts';
import { readingsIn } from './readings-in.ts';
import { spec } from './spec.ts';

export default function register(RED: NodeAPI): void {
  defineNode(RED, spec, readingsIn);
}
