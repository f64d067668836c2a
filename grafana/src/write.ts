// `npm run dashboards` writes what Grafana is provisioned with.
import { mkdirSync, writeFileSync } from 'node:fs';
import { generatedFiles } from './files.ts';
import { PROVISIONING } from './folder.ts';

for (const [path, text] of generatedFiles()) {
  const file = new URL(path, PROVISIONING);
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, text);
}
