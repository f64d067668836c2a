import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { findProgram } from '../support/find-program.ts';
import { startPlatformWithToken } from '../support/platform-with-token.ts';
import { tempDir } from '../support/temp-dir.ts';

const run = promisify(execFile);

describe.skipIf(!requireTool('curl', findProgram('curl')))('curl', () => {
  it('shows the token in each way that InfluxDB knows, on each route', async () => {
    const { platform, created } = await startPlatformWithToken();
    const { token } = created.token;
    const waysOf = (shown: string): Record<string, { options: string[]; query: string }> => ({
      token: { options: ['-H', `Authorization: Token ${shown}`], query: '' },
      bearer: { options: ['-H', `Authorization: Bearer ${shown}`], query: '' },
      basic: { options: ['-u', `any:${shown}`], query: '' },
      query: { options: [], query: `&u=any&p=${encodeURIComponent(shown)}` },
    });
    const paths = { v1: '/write?db=tidemark', v2: '/api/v2/write?org=any&bucket=tidemark' };
    const status = async (url: string, options: string[], body: string): Promise<string> => {
      const show = ['-s', '-o', '/dev/null', '-w', '%{http_code}'];
      return (await run('curl', [...show, ...options, '--data-binary', body, url])).stdout;
    };
    for (const [version, path] of Object.entries(paths)) {
      for (const [shown, expected] of [
        [token, '204'],
        ['wrong', '401'],
      ] as const) {
        for (const [way, { options, query }] of Object.entries(waysOf(shown))) {
          const line = `readings,sensor=${version}-${way} value=${Number(shown === token)} 1`;
          const answer = await status(`${platform.httpUrl}${path}${query}`, options, line);
          expect([version, way, answer]).toEqual([version, way, expected]);
        }
      }
      expect(await status(`${platform.httpUrl}${path}`, [], 'readings,sensor=none value=1 1')).toBe('401');
    }
    const stored = await allReadings(platform.httpUrl, '', token);
    const ways = Object.keys(waysOf(token)).sort();
    expect(stored.map(({ sensor, value }) => [sensor, value])).toEqual(
      ['v1', 'v2'].flatMap((version) => ways.map((way) => [`${version}-${way}`, 1])),
    );
  });

  it('sends a file of lines, gzipped', async () => {
    const { platform, created } = await startPlatformWithToken();
    const { token } = created.token;
    const file = join(await tempDir(), 'lines.gz');
    const lines = Array.from({ length: 2750 }, (_, n) => `readings,sensor=file value=${n / 8} ${n + 1}\n`);
    await writeFile(file, gzipSync(lines.join('')));
    const headers = ['-H', `Authorization: Token ${token}`, '-H', 'Content-Encoding: gzip'];
    const url = `${platform.httpUrl}/api/v2/write?bucket=tidemark&precision=ms`;
    const { stdout } = await run('curl', ['-sSf', ...headers, '--data-binary', `@${file}`, url]);
    expect(stdout).toBe('');
    const values = (await allReadings(platform.httpUrl, '', token)).map(({ value }) => value);
    expect(values).toEqual(Array.from({ length: 2750 }, (_, n) => n / 8));
  });
});
