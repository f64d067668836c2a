import { registerNode } from '../../editor/register.ts';
import { spec } from './spec.ts';

registerNode(spec, {
  icon: 'query.svg',
  inputs: 1,
  outputs: 1,
  label: ({ what, metric }) => [what, metric].filter(Boolean).join(' '),
});
