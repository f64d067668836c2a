import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a record's bytes begin with; nothing else that the oracle sends holds it. */
const MARKER = 'TIDK';

/** A record as it lies in its file. */
interface RecordBytes {
  start: number;
  end: number;
  /** The oracle's readings in it, as `<sensor> <number>`. */
  readings: string[];
}

/** The spool's segments, oldest first. */
export async function segmentsIn(dataDir: string): Promise<string[]> {
  const folder = join(dataDir, 'spool');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.seg'));
  return names.sort().map((name) => join(folder, name));
}

/** The records of a segment: read by the oracle's own eyes, not by the platform's code. */
export async function recordsIn(segment: string): Promise<RecordBytes[]> {
  const text = await readFile(segment, 'latin1');
  const records: RecordBytes[] = [];
  for (let start = text.indexOf(MARKER); start !== -1; ) {
    const next = text.indexOf(MARKER, start + 1);
    const end = next === -1 ? text.length : next;
    const lines = text.slice(start, end).matchAll(/sensor=([^ ,]+) value=([^ ,]+)/g);
    const readings = Array.from(lines, ([, sensor, value]) => `${sensor} ${Math.floor(Number(value))}`);
    records.push({ start, end, readings });
    start = next;
  }
  return records;
}
