import { secret, text } from '../../fields/field.ts';
import { fillDefaults, type Spec } from '../../fields/spec.ts';

const fields = {
  apiUrl: text({ pattern: /^https?:\/\/[^\s]+$/ }),
  mqttUrl: text({ pattern: /^(mqtts?|wss?):\/\/[^\s]+$/ }),
  token: secret('password'),
  user: secret('text'),
  password: secret('password'),
};

export const spec = {
  type: 'tidemark-server',
  fields,
  migrations: [fillDefaults(fields)],
} satisfies Spec;
