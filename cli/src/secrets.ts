import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** The MQTT user and the API token that `tidemark init` creates, both by this name. */
export const OWN_NAME = 'tidemark';

/** The clear secrets, in files that only their owner may read. */
export type SecretName =
  | 'mqtt-password'
  | 'api-token'
  | 'flows-password'
  | 'flows-credentials-key'
  | 'grafana-password'
  | 'grafana-secret-key';

/** Where a secret is kept. */
export function secretPath(dataDir: string, name: SecretName): string {
  return join(dataDir, 'secrets', name);
}

/** The secret that `tidemark init` wrote, or undefined when there is none that we may read. */
export function readSecret(dataDir: string, name: SecretName): string | undefined {
  try {
    return readFileSync(secretPath(dataDir, name), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** The secret of that name; makes it where there is none. Throws when there is one that cannot be read. */
export function ensureSecret(dataDir: string, name: SecretName, generate: () => string): string {
  const path = secretPath(dataDir, name);
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  const secret = generate();
  writeSecret(dataDir, name, secret);
  return secret;
}

/** Writes a secret durably (file mode 600 in a folder of mode 700), replacing an older one; answers its path. */
export function writeSecret(dataDir: string, name: SecretName, secret: string): string {
  const folder = join(dataDir, 'secrets');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const path = secretPath(dataDir, name);
  writeDurably(path, secret, 0o600);
  return path;
}

/** Writes a line into a file of that mode, all of it or none, replacing an older one. */
export function writeDurably(path: string, line: string, mode: number): void {
  const draft = `${path}.new`;
  const file = openSync(draft, 'w', mode);
  try {
    chmodSync(draft, mode);
    writeSync(file, `${line}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
}
