import { existsSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { messageOf, TidemarkError } from '@tidemark/core';

/** DuckDB's headers; a file that is shorter holds nothing. */
const HEADER_BYTES = 3 * 4096;
const damage =
  /Corrupt|Could not read enough bytes|not a valid DuckDB database|Failure while replaying WAL|Serialization Error/;

/**
 * Throws `store_damaged` when there was a store and its file is gone, instead of letting an empty one take its
 * place. That there was one says the mark, a file beside the folder, so that it outlives the folder.
 */
export function refuseLostStore(file: string): void {
  const mark = markOf(file);
  const isMarked = existsSync(mark);
  if (!existsSync(file)) {
    if (isMarked) throw new TidemarkError('store_damaged', `${file} is gone; ${adviceFor(file)}`);
  } else if (!isMarked && statSync(file).size < HEADER_BYTES) {
    // A first start was cut short.
    unlinkSync(file);
  }
}

/** Remembers that there is a store. */
export function markStore(file: string): void {
  const mark = markOf(file);
  if (existsSync(mark)) return;
  writeFileSync(
    mark,
    `While this file is here, Tidemark does not start without ${file}, and makes no empty store in its place.\n`,
  );
}

/** What an error while the file was opened, or read, means for who runs the platform. */
export function openingError(file: string, cause: unknown): TidemarkError {
  if (cause instanceof TidemarkError) return cause;
  const message = messageOf(cause);
  const [firstLine] = message.split('\n');
  if (/newer version of DuckDB|version number/.test(message)) {
    return new TidemarkError('store_newer', `${file} was written by a newer Tidemark: ${firstLine}`, {
      cause,
    });
  }
  if (isDamage(message)) {
    const text = `${file} is damaged: ${firstLine}; ${adviceFor(file)}`;
    return new TidemarkError('store_damaged', text, { cause });
  }
  const reason = /lock/i.test(message) ? 'another process has it open' : firstLine;
  return new TidemarkError('data_dir_unusable', `cannot open ${file}: ${reason}`, { cause });
}

/** True for texts of DuckDB that say that bytes of the file are missing or changed. */
export function isDamage(message: string): boolean {
  // A full disk can be in the way of the replay, too.
  if (/No space left|Out of Memory/i.test(message)) return false;
  return damage.test(message);
}

/** What to do about a store that is lost in whole or in part. */
function adviceFor(file: string): string {
  const folder = dirname(file);
  return (
    `restore the folder ${folder} from a backup, or begin with an empty store: move that folder away and delete ` +
    `${basename(markOf(file))} beside it, and spool/cursors.json to get back what the spool still holds`
  );
}

function markOf(file: string): string {
  return `${dirname(file)}.created`;
}
