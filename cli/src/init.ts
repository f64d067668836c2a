import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@tidemark/core';
import { Credentials, generatePassword, generateToken, isLoopbackHost, openMetaDb } from '@tidemark/store';
import { type OutputOptions, printResult } from './progress.ts';
import { OWN_NAME, readSecret, type SecretName, secretPath, writeSecret } from './secrets.ts';
import { loadSettings } from './settings.ts';

export interface InitOptions extends OutputOptions {
  config?: string;
  dataDir?: string;
  /** Replaces the secrets that exist. */
  rotate: boolean;
}

/** Creates the MQTT user, the API token and the password of flows; what exists stays as it is unless it is to be rotated. */
export async function init(options: InitOptions): Promise<void> {
  const config = loadSettings({ file: options.config, overrides: { dataDir: options.dataDir } });
  const { dataDir } = config;
  const db = openMetaDb(join(dataDir, 'meta.db'));
  try {
    const credentials = new Credentials({ db, clock: systemClock, isRequired: !isLoopbackHost(config.host) });
    const user = await createUser({
      credentials,
      dataDir,
      isWanted: options.rotate || !credentials.users().includes(OWN_NAME),
    });
    const token = createToken({
      credentials,
      dataDir,
      isWanted: options.rotate || !credentials.tokens().includes(OWN_NAME),
    });
    const flows = createFlowsPassword(dataDir, options.rotate);
    printResult(options, {
      text: `${user.text}\n${token.text}\n${flows.text}`,
      data: { user: user.data, token: token.data, flows: flows.data },
    });
  } finally {
    db.close();
  }
}

interface SecretParts {
  credentials: Credentials;
  dataDir: string;
  isWanted: boolean;
}

async function createUser({ credentials, dataDir, isWanted }: SecretParts) {
  if (!isWanted) return existing('MQTT user', dataDir, 'mqtt-password');
  const password = generatePassword();
  // The file first: a crash between the two leaves a secret that opens nothing, never a lost one that does.
  const path = writeSecret(dataDir, 'mqtt-password', password);
  await credentials.setUser(OWN_NAME, password);
  return {
    text: `MQTT user ${OWN_NAME}, password ${password}\n  kept in ${path}`,
    data: { name: OWN_NAME, password, path, isNew: true },
  };
}

function createToken({ credentials, dataDir, isWanted }: SecretParts) {
  if (!isWanted) return existing('API token', dataDir, 'api-token');
  const token = generateToken();
  const path = writeSecret(dataDir, 'api-token', token);
  credentials.setToken(OWN_NAME, token);
  return {
    text: `API token ${OWN_NAME}: ${token}\n  kept in ${path}`,
    data: { name: OWN_NAME, token, path, isNew: true },
  };
}

function createFlowsPassword(dataDir: string, isRotation: boolean) {
  if (!isRotation && readSecret(dataDir, 'flows-password') !== undefined)
    return existing('Login of flows', dataDir, 'flows-password');
  const password = generatePassword();
  const path = writeSecret(dataDir, 'flows-password', password);
  // Else who logged in with the old one would stay so for a week.
  rmSync(join(dataDir, 'flows', '.sessions.json'), { force: true });
  return {
    text: `Login of flows (Node-RED) ${OWN_NAME}, password ${password}\n  kept in ${path}`,
    data: { name: OWN_NAME, password, path, isNew: true },
  };
}

function existing(what: string, dataDir: string, secret: SecretName) {
  const path = secretPath(dataDir, secret);
  return {
    text: `${what} ${OWN_NAME} exists, its secret was written to ${path}; --rotate replaces it`,
    data: { name: OWN_NAME, path, isNew: false },
  };
}
