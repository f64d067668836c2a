import { registerNode } from '../../editor/register.ts';
import { spec } from './spec.ts';

registerNode(spec, {
  icon: 'command.svg',
  inputs: 1,
  outputs: 1,
  label: ({ topic, payload }) => [topic, payload].filter(Boolean).join(' '),
});
