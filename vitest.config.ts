import { defineConfig } from 'vitest/config';

/** One project a group of tests; those with real servers get them from lab/test.mjs. */
const node = (name: string, timeoutMs: number, options: { serial?: boolean } = {}) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    environment: 'node' as const,
    pool: 'forks' as const,
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    ...(options.serial === true ? { fileParallelism: false } : {}),
  },
});

export default defineConfig({
  test: {
    projects: [
      node('policy', 20_000),
      {
        test: { name: 'tidy', include: ['test/tidy.test.ts'], environment: 'node', pool: 'forks' },
      },
      node('soak', 20_000),
      node('simulation', 120_000),
      node('replay', 60_000),
      node('workflows', 60_000, { serial: true }),
      node('crash', 600_000, { serial: true }),
      node('gateways', 60_000, { serial: true }),
      node('api', 60_000, { serial: true }),
      node('ui', 120_000, { serial: true }),
      node('system', 600_000, { serial: true }),
    ],
  },
});
