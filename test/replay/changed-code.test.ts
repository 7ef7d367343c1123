/** What may be changed while workflows run, and what may not, tried on a changed copy of the sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleChanged, type Change } from '../support/changed-workflows.ts';
import { readText, sourceFiles } from '../support/source-files.ts';

const FOLDER = new URL('histories/', import.meta.url);
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
const EVACUATION = 'moveUsersOff.evacuation.0.1.0.json';
const HEALTH = 'checkBackendHealth.acting.0.1.0.json';

/** The gait of a mover: how many chunks it sends side by side, and when it plans the next round. */
const GAIT = ['LANES', 'ROUND_ENDED_SHARE'];

/** Every number that has a name in `workflows/policy`, but for the gait. */
function numbersOfPolicies(): Change[] {
  const named = /^(?:export )?const ([A-Z][A-Z0-9_]*) = ([\d_.]+);$/gm;
  return sourceFiles
    .filter((path) => path.startsWith('workflows/policy/'))
    .flatMap((path) =>
      [...readText(path).matchAll(named)]
        .filter(([, name = '']) => !GAIT.includes(name))
        .map(([text, , value = '']) => {
          const file = path.slice('workflows/'.length);
          const other = String(Number(value.replaceAll('_', '')) * 2);
          return { file, from: text, to: text.replace(value, other) };
        }),
    );
}

async function replay(code: string, name: string): Promise<void> {
  const history = historyFromJSON(JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')));
  await Worker.runReplayHistory({ workflowBundle: { code } }, history, name.split('.')[0]);
}

beforeAll(() => {
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  });
});

describe('a changed policy', () => {
  it('with other numbers replays every history: workflows act on what was recorded', async () => {
    const changes = numbersOfPolicies();
    expect(changes.length).toBeGreaterThan(3);
    const code = await bundleChanged(changes);
    for (const name of NAMES) await replay(code, name);
  });

  it('that decides otherwise does not change what a running task does', async () => {
    const file = 'policy/decide-backend-health.ts';
    const from = 'if (!snapshot.isOwner) return';
    const code = await bundleChanged([{ file, from, to: 'if (snapshot.siteId !== "") return' }]);
    await replay(code, HEALTH);
  });
});

describe('a changed workflow', () => {
  it('that gives its commands in another order does not replay', async () => {
    const count = 'const users = await moverActivities.countUsers({ backendId: sourceId });';
    const save = 'await mover.save({ isUrgent: true });';
    const code = await bundleChanged([
      { file: 'mover/steps.ts', from: count, to: `${save}\n  ${count}` },
    ]);
    await expect(replay(code, EVACUATION)).rejects.toThrow();
  });

  it('that asks something else first does not replay', async () => {
    const look = 'const { snapshotId, snapshot } = await taskActivities.takeSnapshot();';
    const first = `await taskActivities.readMoves();\n    ${look}`;
    const code = await bundleChanged([{ file: 'check-backend-health.ts', from: look, to: first }]);
    await expect(replay(code, HEALTH)).rejects.toThrow();
  });

  it('with another number of lanes does not replay: the gait of a mover is part of its commands', async () => {
    const code = await bundleChanged([
      { file: 'policy/plan-evacuation.ts', from: 'const LANES = 4;', to: 'const LANES = 1;' },
    ]);
    await expect(replay(code, EVACUATION)).rejects.toThrow();
  });
});
