import { choice, duration, number, server, text } from '../../fields/field.ts';
import { fillDefaults, type Spec } from '../../fields/spec.ts';

const ofLevel = { field: 'condition', is: ['above', 'below'] };
const ofRange = { field: 'condition', is: ['outside', 'inside'] };
const ofAbsence = { field: 'condition', is: ['absent'] };
const ofValues = { field: 'condition', is: ['above', 'below', 'outside', 'inside'] };

const fields = {
  server,
  metric: text({ requiredWhen: ofValues }),
  condition: choice(['above', 'below', 'outside', 'inside', 'absent']),
  level: number({ isRequired: true, when: ofLevel }),
  clear: number({ when: ofLevel }),
  low: number({ isRequired: true, when: ofRange }),
  high: number({ isRequired: true, when: ofRange }),
  clearLow: number({ when: ofRange }),
  clearHigh: number({ when: ofRange }),
  absentFor: duration({ default: '10m', isRequired: true, when: ofAbsence }),
  for: duration({ when: ofValues }),
  sensors: text(),
  location: text(),
  severity: choice(['warning', 'info', 'critical']),
  message: text(),
  notify: text(),
};

export const spec = { type: 'tidemark-threshold', fields, migrations: [fillDefaults(fields)] } satisfies Spec;
