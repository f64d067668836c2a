import { readdir } from 'node:fs/promises';
import { requireTool } from '@tidemark/store/testing';
import { Bench } from './bench.ts';
import type { CaseResult, FaultCase, Mode } from './fault-case.ts';

const casesFolder = new URL('./cases/', import.meta.url);

interface RunOptions {
  mode: Mode;
  seed: number;
  onProgress?: (text: string) => void;
  /** Ends the run early; what it started is ended too. */
  signal?: AbortSignal;
}

/** Every case there is a file for, by letter. */
export async function loadCases(): Promise<FaultCase[]> {
  const names = (await readdir(casesFolder)).filter((name) => /^[a-z]-[a-z-]+\.ts$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const { faultCase } = (await import(new URL(name, casesFolder).href)) as { faultCase: FaultCase };
      if (faultCase.id !== name[0]) throw new Error(`${name} holds case ${faultCase.id}`);
      return faultCase;
    }),
  );
}

/** The name of what a case needs and this machine has not; throws instead where `CI=true`. */
export function missingNeed({ needs = [] }: FaultCase): string | undefined {
  return needs.find(({ name, find }) => !requireTool(name, find()))?.name;
}

/** Runs one case within its limit; whatever it started has ended when this settles. */
export async function runCase(faultCase: FaultCase, options: RunOptions): Promise<CaseResult> {
  const { mode, seed, signal } = options;
  let last = 'its start';
  const onProgress = (text: string): void => {
    last = text;
    options.onProgress?.(text);
  };
  const limitSeconds = faultCase.limitSeconds[mode];
  await using bench = await Bench.open({ mode, seed, onProgress });
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      reject(
        new Error(`case ${faultCase.id} was not done within ${limitSeconds} s; its last word was ${last}`),
      ),
    limitSeconds * 1000,
  );
  const interrupt = (): void => reject(new Error('interrupted'));
  signal?.addEventListener('abort', interrupt, { once: true });
  try {
    const running = faultCase.run(bench);
    // When the limit was first, what the case still throws is of no interest.
    running.catch(() => {});
    return await Promise.race([running, ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', interrupt);
  }
}
