/** Another Temporal installation beside that of the test run: it knows nothing of the first. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Connection } from '@temporalio/client';
import { eventually } from './eventually.ts';
import { testNet } from './test-net.ts';

const SEARCH_ATTRIBUTES = ['DkBackend=Keyword', 'DkKind=Keyword', 'DkSite=Keyword'];
const START_MS = 60_000;

export interface SecondTemporal {
  readonly address: string;
  stop(): Promise<void>;
}

export async function startSecondTemporal(): Promise<SecondTemporal> {
  const port = 22_000 + Number(testNet());
  const address = `127.0.0.1:${port}`;
  const attributes = SEARCH_ATTRIBUTES.flatMap((one) => ['--search-attribute', one]);
  const server = spawn(
    process.env['DK_TEST_TEMPORAL'] ?? 'temporal',
    [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--headless'],
      ...['--log-level', 'error', ...attributes],
    ],
    { stdio: 'ignore' },
  );
  const ended = once(server, 'exit');
  const answers = async (): Promise<boolean> => {
    try {
      const connection = await Connection.connect({ address, connectTimeout: '2s' });
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      await connection.close();
      return true;
    } catch {
      return false;
    }
  };
  await eventually('the second Temporal answers', answers, { timeoutMs: START_MS });
  return {
    address,
    stop: async () => {
      server.kill('SIGKILL');
      await ended;
    },
  };
}
