/** The main job on a whole lab, shortened; `npm run drill` does all of it at full length. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFigures, type Figure } from './figures.ts';
import { openLabRig, type LabRig } from './lab-rig.ts';
import { replayDecisions } from './replay-decisions.ts';
import { drainAndRaise } from './scenarios/drain.ts';
import { failTogether } from './scenarios/catastrophe.ts';
import { failAndReturn } from './scenarios/fail-and-return.ts';
import { killMidway } from './scenarios/killed-midway.ts';

/** Windows that the real ones would only wait for. */
const SHORTENED = {
  HOST_FAILURE_CRITICAL_WINDOW_SECS: '8',
  HOST_FAILURE_WINDOW_SECS: '12',
  HOST_FAILURE_MIN_LOGINS: '15',
  HOST_RECOVERY_WINDOW_SECS: '8',
  HOST_RECOVERY_MAX_HOLD_SECS: '16',
  CHECK_BACKEND_HEALTH_INTERVAL_SECS: '5',
  EVACUATE_ZERO_LOAD_FACTOR_HOSTS_INTERVAL_SECS: '5',
};
const north = { site: 'north' } as const;

let rig: LabRig;
beforeAll(async () => {
  const stateDir = mkdtempSync(join(process.env['DK_TEST_STATE'] ?? tmpdir(), 'healing-'));
  rig = await openLabRig({ net: 'free', stateDir, settings: SHORTENED, print: () => undefined });
});
afterAll(async () => {
  await rig.close();
});

async function failuresOf(run: (figures: ReturnType<typeof createFigures>) => Promise<void>) {
  const figures = createFigures();
  await run(figures);
  const tell = ({ name, figure, limit, load }: Figure): string =>
    `${name}: ${figure} (${limit}, load ${load.toFixed(1)})`;
  return figures.all.filter(({ isOk }) => !isOk).map(tell);
}

describe('a mail cluster that heals itself', () => {
  it('moves everybody off a Backend that refuses its users, and takes it back', async () => {
    const plan = { ...north, fault: 'deny', host: 'north-mail2', watchSecs: 3 } as const;
    expect(await failuresOf((figures) => failAndReturn(rig, figures, plan))).toEqual([]);
  });

  it('goes on with the same evacuation after kill -9 of the worker', async () => {
    const plan = { ...north, victim: 'worker', host: 'north-mail3' } as const;
    expect(await failuresOf((figures) => killMidway(rig, figures, plan))).toEqual([]);
  });

  it('empties a Backend whose load factor is 0, and leaves it online', async () => {
    const plan = { ...north, host: 'north-mail4' } as const;
    expect(await failuresOf((figures) => drainAndRaise(rig, figures, plan))).toEqual([]);
  });

  it('holds while three of four Backends fail, and lets go by itself', async () => {
    const hosts = ['north-mail1', 'north-mail2', 'north-mail3'];
    const plan = { ...north, hosts, apartSecs: 0, holdSecs: 12, isSlow: false };
    expect(await failuresOf((figures) => failTogether(rig, figures, plan))).toEqual([]);
  });

  it('made every decision of all this so that it comes out the same from its snapshot', async () => {
    const { total, others, byTask } = await replayDecisions(rig);
    expect(others).toEqual([]);
    expect(total).toBeGreaterThan(20);
    expect(Object.keys(byTask)).toContain('check_backend_health');
    expect(Object.keys(byTask)).toContain('evacuate_zero_load_factor_hosts');
  });
});
