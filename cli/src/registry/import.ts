import { parseJson, readYaml } from '@tidemark/core';
import { ask } from '../ask.ts';
import { httpConnection } from '../connection.ts';
import { printResult } from '../progress.ts';
import { toTable } from '../table.ts';
import type { WriteOptions } from './write.ts';

interface ImportResult {
  dryRun: boolean;
  created: number;
  updated: number;
  unchanged: number;
  changes: { type: string; id: string; action: string; members: string[] }[];
}

/** Declares the locations and sensors of a YAML file on a running platform, or says what that would change. */
export async function importFile(file: string, options: WriteOptions & { dryRun: boolean }): Promise<void> {
  const body = readYaml(file);
  const parameters = { dryRun: String(options.dryRun) };
  const answer = await ask(httpConnection(options), {
    method: 'POST',
    path: 'registry/import',
    parameters,
    body,
  });
  const result = parseJson(answer) as ImportResult;
  const rows = result.changes
    .filter(({ action }) => action !== 'none')
    .map(({ action, type, id, members }) => ({ action, type, id, members: members.join(', ') }));
  const verb = result.dryRun ? 'to be ' : '';
  const counts = `${result.created} ${verb}created, ${result.updated} ${verb}updated, ${result.unchanged} unchanged`;
  const table = rows.length === 0 ? '' : toTable(rows);
  printResult(options, { text: `${table}${counts}`, data: { ...result } });
}
