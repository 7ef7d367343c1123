/** Histories of released versions must replay with today's code, or running movers would get stuck. */
import { readdirSync, readFileSync } from 'node:fs';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { DATA_CONVERTER } from '../../platform/payload-codec.ts';
import { buildBundle } from '../../worker/build-bundle.ts';

const FOLDER = new URL('histories/', import.meta.url);
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

let code: string;
beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  });
  code = await buildBundle();
});

async function replay(name: string, change: (json: string) => string = (json) => json) {
  const json = change(readFileSync(new URL(name, FOLDER), 'utf8'));
  const history = historyFromJSON(JSON.parse(json));
  const options = { workflowBundle: { code }, dataConverter: DATA_CONVERTER };
  await Worker.runReplayHistory(options, history, name.split('.')[0]);
}

describe('histories of released versions', () => {
  it('are there for the mover and for a task', () => {
    expect(NAMES.some((name) => name.startsWith('moveUsersOff.'))).toBe(true);
    expect(NAMES.some((name) => name.startsWith('checkBackendHealth.'))).toBe(true);
  });

  it.each(NAMES)('%s replays', async (name) => {
    await replay(name);
  });

  it('do not replay where a workflow gives other commands than it did', async () => {
    const swap = (json: string): string =>
      json.replaceAll('"planRound"', '"readMoveSituation"').replace('"countUsers"', '"planRound"');
    await expect(replay('moveUsersOff.evacuation.0.1.0.json', swap)).rejects.toThrow();
  });
});
