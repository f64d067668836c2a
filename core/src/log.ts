import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** A structured logger; JSON lines on the given stream, standard error by default. */
export function createLogger(level: string, stream: DestinationStream = pino.destination(2)): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}

/** A logger that says nothing, for tests and tools. */
export const silentLogger: Logger = pino({ level: 'silent' });
