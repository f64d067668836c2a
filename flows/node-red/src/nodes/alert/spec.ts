import { choice, server, text } from '../../fields/field.ts';
import { fillDefaults, type Spec } from '../../fields/spec.ts';

const ofOwn = { field: 'action', is: ['raise', 'end'] };
const ofRaise = { field: 'action', is: ['raise'] };
const ofAny = { field: 'action', is: ['ack', 'resolve'] };

const fields = {
  server,
  action: choice(['raise', 'end', 'ack', 'resolve']),
  rule: text({ isRequired: true, pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, when: ofOwn }),
  sensor: text({ when: ofOwn }),
  severity: choice(['warning', 'info', 'critical'], ofRaise),
  message: text({ isRequired: true, when: ofRaise }),
  notify: text({ when: ofRaise }),
  alert: text({ when: ofAny }),
  by: text({ when: ofAny }),
  comment: text({ when: ofAny }),
};

export const spec = { type: 'tidemark-alert', fields, migrations: [fillDefaults(fields)] } satisfies Spec;
