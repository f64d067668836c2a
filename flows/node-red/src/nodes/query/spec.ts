import { choice, server, text } from '../../fields/field.ts';
import { fillDefaults, type Spec } from '../../fields/spec.ts';

const ofWindows = { field: 'what', is: ['windows'] };
const fields = {
  server,
  what: choice(['windows', 'latest']),
  metric: text(),
  sensor: text(),
  location: text(),
  from: text({ default: 'now-1h', when: ofWindows }),
  to: text({ default: 'now', when: ofWindows }),
  every: text({ default: '10m', when: ofWindows }),
  fn: text({ default: 'count, min, mean, max', when: ofWindows }),
  by: text({ default: 'sensor', when: ofWindows }),
  fill: text({ when: ofWindows }),
  tz: text({ when: ofWindows }),
};

export const spec = { type: 'tidemark-query', fields, migrations: [fillDefaults(fields)] } satisfies Spec;
