/** What a process of ours does with a rejection that nobody handles. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SLIPS = fileURLToPath(new URL('../../platform/driver-slips.ts', import.meta.url));
const IN_DRIVER =
  'at ControlConnection._refresh (/x/cassandra-driver/lib/control-connection.js:506:10)';
const IN_OURS = 'at read (/x/gateways/geodb/users.ts:1:1)';

/** A process that rejects with such an error, and says so when it lives on. */
function run(kind: string, first: string): { code: number | null; out: string } {
  const script = `
    const { outliveDriverSlips } = await import(${JSON.stringify(SLIPS)});
    outliveDriverSlips({ warn: (_fields, text) => console.log(text) });
    const error = new ${kind}('Cannot read properties of null');
    error.stack = ${JSON.stringify(`x: y\n    ${first}\n    ${IN_DRIVER}`)};
    Promise.reject(error);
    setTimeout(() => console.log('alive'), 50);
  `;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
  return { code: status, out: stdout.toString() };
}

it('lives on after the slip of the driver, and says so', () => {
  const { code, out } = run('TypeError', IN_DRIVER);
  expect(out).toBe('the driver of Cassandra lost its control connection\nalive\n');
  expect(code).toBe(0);
});

it.each([
  ['the error is of another kind', 'Error', IN_DRIVER],
  ['it comes from elsewhere', 'TypeError', IN_OURS],
])('ends where %s', (_what, kind, first) => {
  const { code, out } = run(kind, first);
  expect(out).toBe('');
  expect(code).not.toBe(0);
});
