import { registerNode } from '../../editor/register.ts';
import { spec } from './spec.ts';

registerNode(spec, {
  icon: 'heartbeat.svg',
  inputs: 1,
  outputs: 1,
  label: ({ service }) => String(service ?? ''),
});
