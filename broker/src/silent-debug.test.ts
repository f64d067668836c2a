import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const parseOnePacket = `
  await import('./silent-debug.ts');
  await import('aedes');
  const { createRequire } = await import('node:module');
  const require = createRequire(import.meta.resolve('aedes'));
  const { parser, generate } = require('mqtt-packet');
  console.log(Object.keys(require.cache).some((path) => path.endsWith('debug/src/common.js')) ? 'real' : 'silent');
  parser().on('packet', ({ cmd }) => console.log(cmd)).parse(generate({ cmd: 'pingreq' }));
`;

async function parseWith(env: NodeJS.ProcessEnv): Promise<{ stdout: string; stderr: string }> {
  const args = ['--input-type=module', '--eval', parseOnePacket];
  return run(process.execPath, args, {
    cwd: import.meta.dirname,
    env: { PATH: process.env['PATH'], ...env },
  });
}

it('the parser tells debug of its steps only when DEBUG is set', async () => {
  expect(await parseWith({})).toEqual({ stdout: 'silent\npingreq\n', stderr: '' });
  const told = await parseWith({ DEBUG: 'mqtt-packet:*' });
  expect(told.stdout).toBe('real\npingreq\n');
  expect(told.stderr).toMatch(/mqtt-packet:parser/);
});
