import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from '../../support/find-program.ts';
import type { PlatformProcess } from '../../support/platform-process.ts';
import { StraceReader } from '../../support/strace-log.ts';
import { type Disk, tracedCalls } from './disk.ts';

/** Longer than any write: the spool's largest is what one group commit gathers. */
const STRING_BYTES = 128 * 1024 * 1024;

export const straceNeed = { name: 'strace', find: () => findProgram('strace') };

/** The program to run the platform under, so that a disk can follow it; `more` are further arguments. */
export function tracing(log: string, more: readonly string[] = []): string[] {
  // With -D strace is the grandchild: signals reach the platform itself.
  const strace = ['strace', '-D', '-f', '-y', '-xx', '--seccomp-bpf', '-s', String(STRING_BYTES), '-o', log];
  return [...strace, '-e', `trace=${tracedCalls.join(',')}`, ...more];
}

/** Has the disk see what the platform did from its start to its end. It must have been killed. */
export async function follow(disk: Disk, log: string, { child }: PlatformProcess): Promise<void> {
  while (!hasEnded(await readFile(log, 'latin1'), child.pid!)) await delay(20);
  const reader = new StraceReader();
  for await (const line of createInterface({ input: createReadStream(log, 'latin1') })) {
    const call = reader.read(line);
    if (call) disk.see(call);
  }
}

/** Whether the log tells of a process's end. strace pads ids of fewer than five digits. */
export function hasEnded(log: string, pid: number): boolean {
  return new RegExp(`^${pid} +\\+\\+\\+ `, 'm').test(log);
}
