import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generatePassword, generateToken } from '@tidemark/store';
import { init } from './init.ts';
import { ensureSecret, OWN_NAME, readSecret, writeDurably } from './secrets.ts';

interface InitComposeOptions {
  /** Holds a folder for each volume: `data`, `flows`, and one for the secrets of each other service. */
  folder: string;
  /** Prints the secrets. */
  isShow: boolean;
}

/**
 * Makes what the services of docker-compose.yml are to know of each other, each in a volume that only those mount who
 * need it. What exists stays: it runs before every start.
 */
export async function initCompose({ folder, isShow }: InitComposeOptions): Promise<void> {
  const dataDir = join(folder, 'data');
  await init({ dataDir, rotate: false, quiet: true });
  const token = readSecret(dataDir, 'api-token')!;
  const mqttPassword = readSecret(dataDir, 'mqtt-password')!;
  const shared = (service: string, name: string, make: () => string) =>
    ensureShared(join(folder, service), name, make);
  const influxToken = shared('influxdb', 'token', generateToken);
  const influxPassword = shared('influxdb', 'password', generatePassword);
  shared('tidemark', 'influxdb-token', () => influxToken);
  shared('grafana', 'secret-key', generatePassword);
  const grafanaPassword = shared('grafana', 'admin-password', generatePassword);
  for (const service of ['grafana', 'prometheus', 'node-red']) shared(service, 'api-token', () => token);
  shared('node-red', 'mqtt-password', () => mqttPassword);
  const flowsPassword = ensureSecret(join(folder, 'flows'), 'flows-password', generatePassword);
  if (!isShow) return;
  process.stdout.write(`Tidemark  API token ${token}
MQTT      user ${OWN_NAME}, password ${mqttPassword}
Grafana   user admin, password ${grafanaPassword}
Node-RED  user ${OWN_NAME}, password ${flowsPassword}
InfluxDB  user ${OWN_NAME}, password ${influxPassword}, token ${influxToken}
`);
}

/** A secret that the users of other images must be able to read; who mounts the volume is what guards it. */
function ensureShared(folder: string, name: string, make: () => string): string {
  const path = join(folder, name);
  const existing = readOrUndefined(path);
  if (existing !== undefined) return existing;
  mkdirSync(folder, { recursive: true });
  const secret = make();
  writeDurably(path, secret, 0o444);
  return secret;
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
