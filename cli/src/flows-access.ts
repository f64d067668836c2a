import { createHash } from 'node:crypto';
import type { Config, Logger } from '@tidemark/core';
import type { FlowsAccess } from '@tidemark/flows';
import { generatePassword, isLoopbackHost } from '@tidemark/store';
import { ensureSecret, OWN_NAME, readSecret, secretPath } from './secrets.ts';

interface AccessParts {
  config: Config;
  logger: Logger;
  /** Where this process can be reached itself; undefined where it runs flows alone. */
  apiUrl?: string;
  mqttUrl?: string;
}

/**
 * How flows reach the platform and who may reach them. The settings win; without them it is this platform, with what
 * `tidemark init` created. Makes the secrets of Node-RED that are missing.
 */
export function flowsAccess({ config, logger, apiUrl = '', mqttUrl = '' }: AccessParts): FlowsAccess {
  const { dataDir, flows, host } = config;
  const isOwn = flows.mqttUser === '' && flows.mqttUrl === '';
  return {
    apiUrl: flows.apiUrl || apiUrl,
    mqttUrl: flows.mqttUrl || mqttUrl,
    token: flows.token || (flows.apiUrl === '' ? (readSecret(dataDir, 'api-token') ?? '') : ''),
    ...(isOwn ? ownUser(dataDir) : { mqttUser: flows.mqttUser, mqttPassword: flows.mqttPassword }),
    login: isLoopbackHost(host) ? undefined : loginOf(dataDir, logger),
    credentialSecret: ensureSecret(dataDir, 'flows-credentials-key', generatePassword),
  };
}

function ownUser(dataDir: string): Pick<FlowsAccess, 'mqttUser' | 'mqttPassword'> {
  const mqttPassword = readSecret(dataDir, 'mqtt-password');
  return mqttPassword === undefined
    ? { mqttUser: '', mqttPassword: '' }
    : { mqttUser: OWN_NAME, mqttPassword };
}

function loginOf(dataDir: string, logger: Logger): FlowsAccess['login'] {
  if (readSecret(dataDir, 'flows-password') === undefined) {
    const path = secretPath(dataDir, 'flows-password');
    logger.warn(`flows have a new login: user ${OWN_NAME}, with the password in ${path}`);
  }
  const password = ensureSecret(dataDir, 'flows-password', generatePassword);
  return { username: OWN_NAME, passwordHash: createHash('sha256').update(password).digest('hex') };
}
