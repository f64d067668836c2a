import type { NodeAPI } from 'node-red';
import { defineNode } from '../../runtime/define-node.ts';
import { spec } from './spec.ts';
import { threshold } from './threshold.ts';

export default function register(RED: NodeAPI): void {
  defineNode(RED, spec, threshold);
}
