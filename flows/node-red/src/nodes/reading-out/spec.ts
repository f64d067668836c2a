import { duration, server, text } from '../../fields/field.ts';
import { fillDefaults, type Spec } from '../../fields/spec.ts';

/** What an id may not hold. */
const id = /^[^/+#\p{Cc}]{1,128}$/u;

const fields = {
  server,
  sensor: text({ pattern: id }),
  metric: text({ pattern: id }),
  location: text({ pattern: id }),
  retryFor: duration({ default: '1m' }),
};

export const spec = {
  type: 'tidemark-reading-out',
  fields,
  migrations: [fillDefaults(fields)],
} satisfies Spec;
