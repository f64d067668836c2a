import { registerNode } from '../../editor/register.ts';
import { spec } from './spec.ts';

registerNode(spec, {
  icon: 'readings.svg',
  inputs: 0,
  outputs: 1,
  label: ({ sensor, metric, location }) => [sensor || location, metric].filter(Boolean).join(' / '),
});
