import { choice, duration, server, text } from '../../fields/field.ts';
import { fillDefaults, type Spec } from '../../fields/spec.ts';

const fields = {
  server,
  service: text({ isRequired: true, pattern: /^[^\p{Cc}/+#]{1,128}$/u }),
  beat: choice(['interval', 'message']),
  every: duration({ default: '10s', isRequired: true, when: { field: 'beat', is: ['interval'] } }),
  timeout: duration(),
};

export const spec = { type: 'tidemark-heartbeat', fields, migrations: [fillDefaults(fields)] } satisfies Spec;
