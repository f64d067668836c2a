import { registerNode } from '../../editor/register.ts';
import { spec } from './spec.ts';

registerNode(spec, {
  icon: 'write.svg',
  inputs: 1,
  outputs: 1,
  label: ({ sensor, metric }) => [sensor, metric].filter(Boolean).join('/'),
});
