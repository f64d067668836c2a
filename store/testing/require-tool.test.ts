import { afterEach, expect, test, vi } from 'vitest';
import { requireTool } from './require-tool.ts';

afterEach(() => vi.unstubAllEnvs());

test('an absent tool is skipped, but in CI it is an error that names it', () => {
  vi.stubEnv('CI', '');
  expect(requireTool('influxd', undefined)).toBe(false);
  expect(requireTool('influxd', '/bin/influxd')).toBe(true);
  vi.stubEnv('CI', 'true');
  expect(requireTool('influxd', '/bin/influxd')).toBe(true);
  expect(() => requireTool('influxd', undefined)).toThrow(/influxd/);
});
