import { mkdir, readdir } from 'node:fs/promises';
import type { Logger } from '@tidemark/core';
import { ClassicLevel } from 'classic-level';

const currentIsMissing = 'the sessions lack their file CURRENT';

type Sessions = ClassicLevel<string, unknown>;

interface SessionsOptions {
  /** Made when it is not there. */
  directory: string;
  logger: Logger;
  /** Told when sessions may have been lost, because the database was damaged. */
  onDamage: () => void;
}

/**
 * Opens the LevelDB of MQTT sessions and retained messages. LevelDB syncs little of what Aedes writes, so that
 * a power cut can leave it damaged; that must not keep readings from being taken. It is repaired from what can
 * be read; LevelDB puts what cannot into its folder `lost`.
 */
export async function openSessions(options: SessionsOptions): Promise<Sessions> {
  const { directory, logger, onDamage } = options;
  await mkdir(directory, { recursive: true });
  try {
    // Without CURRENT, LevelDB would begin anew and remove every table without a word.
    const files = await readdir(directory);
    if (files.includes('CURRENT') || !files.some((name) => /^MANIFEST-|\.(?:ldb|log)$/.test(name)))
      return await open(directory);
    throw new Error(currentIsMissing);
  } catch (error) {
    if (!isDamage(error)) throw error;
    logger.error(
      { err: error, directory },
      'the MQTT sessions are damaged; they are repaired as far as can be',
    );
    onDamage();
  }
  await ClassicLevel.repair(directory);
  return open(directory);
}

async function open(directory: string): Promise<Sessions> {
  const sessions = new ClassicLevel<string, unknown>(directory, { valueEncoding: 'json' });
  await sessions.open();
  return sessions;
}

function isDamage(error: unknown): boolean {
  const { cause, message } = error as Error & { cause?: { code?: string; message: string } };
  const isNamedOnly = cause?.code === 'LEVEL_IO_ERROR' && /No such file/.test(cause.message);
  return cause?.code === 'LEVEL_CORRUPTION' || isNamedOnly || message === currentIsMissing;
}
