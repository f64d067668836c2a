import { registerNode } from '../../editor/register.ts';
import { spec } from './spec.ts';

registerNode(spec, {
  icon: 'alert.svg',
  inputs: 1,
  outputs: 1,
  label: ({ action, rule, alert }) =>
    [action, action === 'raise' || action === 'end' ? rule : alert].filter(Boolean).join(' '),
});
