import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Platform, type PlatformAddress } from '@tidemark/cli';
import { loadConfig, silentLogger } from '@tidemark/core';

/** A platform in this process, on a new folder and free ports; `stop` removes the folder. */
export async function startPlatformInProcess(
  env: Record<string, string>,
  settings: Record<string, unknown> = {},
): Promise<{ address: PlatformAddress; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-journey-'));
  const roles = ['broker', 'ingest', 'alerts', 'api'];
  const config = loadConfig({
    env,
    overrides: { dataDir, roles, 'mqtt.port': 0, 'http.port': 0, 'grpc.port': 0, ...settings },
  });
  const platform = new Platform({ config, logger: silentLogger });
  const stop = async () => {
    await platform.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  return { address: await platform.start(), stop };
}
