import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, syncPath, TidemarkError } from '@tidemark/core';

/** Who the platform is at the broker elsewhere, and what it subscribed to: that broker keeps messages under it. */
export interface MqttSession {
  clientId: string;
  /** Filters as they were sent, with the group of a shared subscription. */
  filters: string[];
  qos: number;
}

const VERSION = 1;

/** Reads the file; where there is none, a session with a new client id. Throws `data_dir_unusable` for one it cannot read. */
export async function readSession(path: string): Promise<MqttSession> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT')
      return { clientId: `tidemark-${randomUUID()}`, filters: [], qos: 0 };
    throw unreadable(path, error);
  }
  try {
    const { version, clientId, filters, qos } = JSON.parse(text) as MqttSession & { version: number };
    if (version !== VERSION) throw new Error(`its version is ${version}, and this Tidemark knows ${VERSION}`);
    if (typeof clientId !== 'string' || !Array.isArray(filters)) throw new Error('it holds no session');
    return { clientId, filters, qos };
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Writes the file, durably: with another client id, what the broker keeps would never be taken. */
export async function writeSession(path: string, session: MqttSession): Promise<void> {
  const next = `${path}.next`;
  await writeFile(next, `${JSON.stringify({ version: VERSION, ...session })}\n`);
  await syncPath(next);
  await rename(next, path);
  await syncPath(dirname(path));
}

function unreadable(path: string, cause: unknown): TidemarkError {
  const message = `${path} cannot be read; without it, what the MQTT broker keeps for this platform is not asked for: ${messageOf(cause)}`;
  return new TidemarkError('data_dir_unusable', message, { cause });
}
