import { choice, duration, numberOf } from '../../fields/field.ts';
import { fillDefaults, type Spec } from '../../fields/spec.ts';
import { maxSamples } from './series.ts';

const fields = {
  fn: choice(['mean', 'min', 'max', 'sum', 'count', 'last']),
  by: choice(['time', 'count']),
  length: duration({ default: '5m', isRequired: true, when: { field: 'by', is: ['time'] } }),
  size: numberOf(10, { min: 1, max: maxSamples, isWhole: true, when: { field: 'by', is: ['count'] } }),
};

export const spec = { type: 'tidemark-window', fields, migrations: [fillDefaults(fields)] } satisfies Spec;
