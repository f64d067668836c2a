import { registerNode } from '../../editor/register.ts';
import type { Saved } from '../../fields/spec.ts';
import { spec } from './spec.ts';

registerNode(spec, { icon: 'threshold.svg', inputs: 0, outputs: 2, label: labelOf });

function labelOf({ metric, condition, level, low, high, absentFor }: Saved): string {
  if (condition === 'absent') return `${metric || ''} absent ${absentFor}`.trim();
  if (!metric) return '';
  const isRange = condition === 'inside' || condition === 'outside';
  return `${metric} ${condition} ${isRange ? `${low}…${high}` : level}`;
}
