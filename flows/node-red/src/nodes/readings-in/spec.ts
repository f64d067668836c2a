import { choice, server, text } from '../../fields/field.ts';
import { fillDefaults, type Spec } from '../../fields/spec.ts';

const fields = {
  server,
  sensor: text(),
  metric: text(),
  location: text(),
  output: choice(['values', 'readings']),
};

export const spec = {
  type: 'tidemark-readings-in',
  fields,
  migrations: [fillDefaults(fields)],
} satisfies Spec;
