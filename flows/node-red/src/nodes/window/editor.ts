import { registerNode } from '../../editor/register.ts';
import { spec } from './spec.ts';

registerNode(spec, {
  icon: 'window.svg',
  inputs: 1,
  outputs: 1,
  label: ({ fn, by, length, size }) => `${fn} of ${by === 'time' ? length : size}`,
});
