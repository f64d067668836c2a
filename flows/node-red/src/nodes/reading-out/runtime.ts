import type { NodeAPI } from 'node-red';
import { defineNode } from '../../runtime/define-node.ts';
import { readingOut } from './reading-out.ts';
import { spec } from './spec.ts';

export default function register(RED: NodeAPI): void {
  defineNode(RED, spec, readingOut);
}
