import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { requireTool } from '@tidemark/store/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';

/** A Python with the package paho-mqtt, 2.1. */
const python = process.env.PAHO_PYTHON;
const scenariosPath = fileURLToPath(new URL('scenarios.py', import.meta.url));
/** All scenarios together; each wait within them has its own limit. */
const LIMIT_MS = 300_000;

const hasPaho = requireTool('PAHO_PYTHON', python);
const names = hasPaho ? listScenarios() : ['scenarios'];

describe.skipIf(!hasPaho)('MQTT as Eclipse Paho sees it', () => {
  let dataDir: string;
  let platform: PlatformProcess;
  /** By the name of the scenario: what failed, or null. */
  const failures = new Map<string, string | null>();

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'tidemark-paho-'));
    platform = await startPlatform({ dataDir, env: { TIDEMARK_MQTT_SYS_INTERVAL_MS: '100' } });
    const { hostname, port } = new URL(platform.mqttUrl);
    const child = spawn(python!, ['-B', scenariosPath, hostname, port], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { name, failure } = JSON.parse(line) as { name: string; failure: string | null };
      failures.set(name, failure);
    });
    await once(child, 'close');
  }, LIMIT_MS);

  afterAll(async () => {
    await platform.end('SIGTERM');
    await rm(dataDir, { recursive: true });
  });

  it.each(names)('%s', (name) => {
    expect(failures.get(name)).toBeNull();
  });

  it('leaves the platform running', () => {
    expect(platform.child.exitCode).toBeNull();
  });
});

function listScenarios(): string[] {
  const { stdout, stderr } = spawnSync(python!, ['-B', scenariosPath, '--list'], { encoding: 'utf8' });
  if (stdout === '') throw new Error(`PAHO_PYTHON does not run the scenarios: ${stderr}`);
  return JSON.parse(stdout) as string[];
}
