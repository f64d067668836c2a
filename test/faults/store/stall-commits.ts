// Loaded into the platform by `--import`: while there is a FIFO at FAULT_COMMIT_FIFO, each of the embedded store's
// commits first waits for somebody to write to it. The wait takes a thread of Node's pool, as a disk that does not
// answer would.
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';

interface DuckDB {
  DuckDBConnection: { prototype: { run(sql: string, ...rest: unknown[]): Promise<unknown> } };
}

const fifo = process.env.FAULT_COMMIT_FIFO!;
// The very copy that the store uses.
const requireOfStore = createRequire(import.meta.resolve('@tidemark/store'));
const { prototype } = (requireOfStore('@duckdb/node-api') as DuckDB).DuckDBConnection;
const { run } = prototype;
prototype.run = async function (sql, ...rest) {
  if (sql === 'COMMIT' && existsSync(fifo)) await waitForWriter();
  return run.call(this, sql, ...rest);
};

async function waitForWriter(): Promise<void> {
  try {
    const handle = await open(fifo, 'r');
    await handle.close();
  } catch (error) {
    // Gone in between: the stall is over.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
