/** Exit code of a check that found damage. */
export const DAMAGED = 65;

/** What is wrong with a LevelDB, when the error says that it is damaged; undefined for every other error. */
export function damageOf(error: unknown): string | undefined {
  const { cause } = error as { cause?: unknown };
  const { code, message } = (cause ?? error) as { code?: string; message: string };
  // A file that another one names is not there.
  const isMissing = code === 'LEVEL_IO_ERROR' && message.includes('No such file');
  return code === 'LEVEL_CORRUPTION' || isMissing ? message : undefined;
}
