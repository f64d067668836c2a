import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['*/{src,testing}/**/*.test.ts', 'flows/node-red/src/**/*.test.ts', 'test/**/*.test.ts'],
    // Real servers start in many tests, on machines that may have two slow cores.
    testTimeout: 60_000,
    // A busy machine is no failure.
    expect: { poll: { timeout: 30_000 } },
    hookTimeout: 120_000,
  },
});
