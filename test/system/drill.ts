/**
 * `npm run drill`: what the product promises, on a whole lab at full length, as a table of figures.
 * `npm run drill -- deny catastrophe` runs only these. LAB_NET chooses the net, else a free one.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseNet } from '../../lab/mail/hosts.mjs';
import { outliveDriverSlips } from '../../platform/driver-slips.ts';
import { countFigures, createFigures, printFigures, type Figures } from './figures.ts';
import { openLabRig, type LabRig } from './lab-rig.ts';
import { measureReplays } from './replay-decisions.ts';
import { goBlind } from './scenarios/blind.ts';
import { takeAllDown } from './scenarios/all-down.ts';
import { failTogether } from './scenarios/catastrophe.ts';
import { failAndReturn } from './scenarios/fail-and-return.ts';
import { forceRace } from './scenarios/forced-race.ts';
import { hitMidway, VICTIMS, type Hit, type MidwayVictim } from './scenarios/hit-midway.ts';
import { loseStorage, wobble } from './scenarios/half-failing.ts';
import { killMidway } from './scenarios/killed-midway.ts';
import { settleLoad } from './scenarios/settle-load.ts';
import { killWorkerOften } from './scenarios/worker-kills.ts';

type Run = (rig: LabRig, figures: Figures) => Promise<void>;

const north = { site: 'north' } as const;
const watchSecs = 10;
const three = ['north-mail1', 'north-mail2', 'north-mail3'];

/** B1 for some of the victims: a whole table takes a quarter of an hour. */
const midway =
  (victims: readonly MidwayVictim[], hits: readonly Hit[] = ['kill -9', 'SIGSTOP']): Run =>
  (rig, figures) =>
    hitMidway(rig, figures, { ...north, users: 5_000, victims, hits, frozenSecs: 20 });

const often =
  (isOneOfTwo: boolean): Run =>
  (rig, figures) =>
    killWorkerOften(rig, figures, { ...north, users: 5_000, kills: 15, isOneOfTwo, limitSecs: 8 });

/** In this order; each begins with everybody at rest. */
const RUNS: Readonly<Record<string, Run>> = {
  deny: (rig, figures) =>
    failAndReturn(rig, figures, { ...north, fault: 'deny', host: 'north-mail2', watchSecs }),
  kill: (rig, figures) =>
    failAndReturn(rig, figures, { ...north, fault: 'kill', host: 'north-mail3', watchSecs }),
  freeze: (rig, figures) =>
    failAndReturn(rig, figures, { ...north, fault: 'freeze', host: 'north-mail4', watchSecs: 30 }),
  south: (rig, figures) =>
    failAndReturn(rig, figures, { site: 'south', fault: 'deny', host: 'south-mail1', watchSecs }),
  catastrophe: (rig, figures) =>
    failTogether(rig, figures, {
      ...north,
      hosts: three,
      apartSecs: 0,
      holdSecs: 40,
      isSlow: false,
    }),
  staggered: (rig, figures) =>
    failTogether(rig, figures, {
      ...north,
      hosts: three,
      apartSecs: 15,
      holdSecs: 40,
      isSlow: false,
    }),
  halfway: (rig, figures) =>
    failTogether(rig, figures, {
      ...north,
      hosts: three,
      apartSecs: 15,
      holdSecs: 40,
      isSlow: true,
    }),
  blind: (rig, figures) => goBlind(rig, figures, { ...north, host: 'north-mail1', blindSecs: 40 }),
  worker: (rig, figures) =>
    killMidway(rig, figures, { ...north, victim: 'worker', host: 'north-mail2' }),
  workers: (rig, figures) =>
    killMidway(rig, figures, { ...north, victim: 'one worker of two', host: 'north-mail3' }),
  everything: (rig, figures) =>
    killMidway(rig, figures, { ...north, victim: 'everything', host: 'north-mail4' }),
  midway: midway(VICTIMS),
  'midway-controller': midway(['worker', 'api']),
  'midway-stores': midway(['temporal', 'cassandra']),
  'midway-others': midway(['redis', 'prometheus', 'cluster service']),
  'worker-kills': often(false),
  'worker-kills-of-two': often(true),
  race: (rig, figures) =>
    forceRace(rig, figures, {
      proxy: 'north-proxy1',
      source: 'north-mail1',
      target: 'north-mail2',
      logins: 20,
      // long enough for the slowest move of a busy machine: every one of them is to be done by then
      lookupDelayMs: 1_000,
      moveAfterMs: 80,
    }),
  down: (rig, figures) => takeAllDown(rig, figures, { downSecs: 60 }),
  balance: (rig, figures) =>
    settleLoad(rig, figures, {
      ...north,
      host: 'north-mail1',
      sharePercent: 70,
      factor: 2,
      patienceSecs: 1_200,
    }),
  flap: (rig, figures) =>
    wobble(rig, figures, {
      ...north,
      host: 'north-mail3',
      percents: [9, 11],
      stepSecs: 20,
      forSecs: 300,
      coolTimeSecs: 60,
      mustAct: false,
    }),
  brownout: (rig, figures) =>
    wobble(rig, figures, {
      ...north,
      host: 'north-mail4',
      percents: [15],
      stepSecs: 10,
      forSecs: 150,
      coolTimeSecs: 60,
      mustAct: true,
    }),
  storage: (rig, figures) =>
    loseStorage(rig, figures, { ...north, host: 'north-mail2', awaySecs: 90 }),
};

const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const words = process.argv.slice(2);
  const unknown = words.find((word) => RUNS[word] === undefined);
  if (unknown !== undefined) {
    print(`There is no run "${unknown}"; there are: ${Object.keys(RUNS).join(', ')}`);
    return 1;
  }
  const isWanted = (name: string): boolean =>
    words.length === 0 ? !name.startsWith('midway-') : words.includes(name);
  const wanted = Object.keys(RUNS).filter(isWanted);
  const figures = createFigures(({ point, name, figure, limit, isOk }) => {
    print(
      `    ${isOk ? ' ' : '!'} ${point} ${name}: ${figure}${limit === '' ? '' : ` (${limit})`}`,
    );
  });
  const parent = process.env['DK_TEST_STATE'];
  const stateDir =
    parent === undefined ? mkdtempSync(join(tmpdir(), 'drill-')) : join(parent, 'drill');
  const net = process.env['LAB_NET'];
  const rig = await openLabRig({
    net: net === undefined || net === '' ? 'free' : parseNet(net, 0),
    stateDir,
    print,
  });
  try {
    for (const name of wanted) await runOne(name, rig, figures);
    await measureReplays(rig, figures);
  } finally {
    await rig.close();
  }
  return report(figures, parent);
}

/** A run that breaks off is a failure, and the others still run. */
async function runOne(name: string, rig: LabRig, figures: Figures): Promise<void> {
  const startedAtMs = Date.now();
  print(`\n${name}`);
  try {
    await RUNS[name]?.(rig, figures);
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    print(why);
    figures.holds('-', `${name}: ran to its end`, why.split('\n')[0] ?? '', 'yes', false);
  }
  print(`${name}: ${Math.round((Date.now() - startedAtMs) / 1000)} s`);
}

/** In the form of a test runner's report, which lab/test.mjs reads. */
function report(figures: Figures, folder: string | undefined): number {
  const { passed, failed } = countFigures(figures.all);
  print(`\n${printFigures(figures.all)}`);
  if (folder === undefined) print(`${passed} passed, ${failed} failed`);
  else {
    const totals = { numPassedTests: passed, numFailedTests: failed, testResults: [] };
    writeFileSync(join(folder, 'report.json'), JSON.stringify(totals));
  }
  return failed === 0 ? 0 : 1;
}

outliveDriverSlips(console);
// A driver that is still trying to reach what was killed would keep it from ending.
process.exit(await main());
