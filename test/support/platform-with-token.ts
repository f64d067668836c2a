import { expect, onTestFinished } from 'vitest';
import { type PlatformProcess, runTidemark, startPlatform } from './platform-process.ts';
import { tempDir } from './temp-dir.ts';

/** What `tidemark init --json` prints. */
interface Created {
  user: { name: string; password: string; path: string };
  token: { token: string; path: string };
  flows: { name: string; password: string };
}

/** Creates credentials in the data folder, as `tidemark init` with these options. */
export async function initCredentials(dataDir: string, ...options: string[]): Promise<Created> {
  const { code, stdout } = await runTidemark(['init', '--json', ...options], {
    env: { TIDEMARK_DATA_DIR: dataDir },
  });
  expect(code).toBe(0);
  return JSON.parse(stdout) as Created;
}

/** A platform that other machines can reach, so that it asks for credentials; it ends with the test. */
export async function startPlatformWithToken(): Promise<{
  platform: PlatformProcess;
  created: Created;
  dataDir: string;
}> {
  const dataDir = await tempDir();
  const created = await initCredentials(dataDir);
  const platform = await startPlatform({ dataDir, env: { TIDEMARK_HOST: '0.0.0.0' } });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  return { platform, created, dataDir };
}
