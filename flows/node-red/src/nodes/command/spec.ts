import { duration, server, text, toggle } from '../../fields/field.ts';
import { fillDefaults, type Spec } from '../../fields/spec.ts';

/** A topic to publish on: no wildcards, and none of the platform's own. */
export const topicPattern = /^(?!\$|alerts\/|live\/|quarantine\/)[^+#\0]{1,1000}$/;

const isConfirmed = { field: 'confirm', is: ['true'] };
const fields = {
  server,
  topic: text({ default: 'commands/fan/set', isRequired: true, pattern: topicPattern }),
  payload: text(),
  retain: toggle(false),
  confirm: toggle(false),
  confirmTopic: text({ isRequired: true, pattern: topicPattern, when: isConfirmed }),
  confirmPayload: text({ when: isConfirmed }),
  timeout: duration({ default: '5s', isRequired: true, when: isConfirmed }),
};

export const spec = { type: 'tidemark-command', fields, migrations: [fillDefaults(fields)] } satisfies Spec;
