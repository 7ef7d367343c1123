/** A whole lab for the system runs: started, observed, broken, killed, and brought back to rest. */
import type cassandra from 'cassandra-driver';
import { readFileSync } from 'node:fs';
import { restoreBackends } from '../../lab/mail/faults.ts';
import { hostsOf } from '../../lab/mail/hosts.mjs';
import { readLabSettings, type LabSettings } from '../../lab/mail/lab-settings.ts';
import { placeUsers } from '../../lab/mail/place-users.ts';
import { connectGeodb } from '../../lab/mail/seed-geodb.ts';
import { startLab, type Lab, type LabOptions } from '../../lab/parts/lab.mjs';
import { eventually } from '../support/eventually.ts';
import { startObserver, type Observer, type Sample } from './observer.ts';
import { createSiteApi, PATIENT, type SiteApi } from './site-api.ts';

export interface LabRigOptions {
  readonly net: number | 'free';
  readonly stateDir: string;
  /** Settings of the controllers, over those of the lab. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly parts?: readonly string[];
  readonly partSettings?: LabOptions['partSettings'];
  readonly print: (line: string) => void;
}

export interface LabRig {
  lab: Lab;
  readonly settings: LabSettings;
  readonly geodb: cassandra.Client;
  readonly observer: Observer;
  readonly print: (line: string) => void;
  api(site: string): SiteApi;
  /** Everything killed at once; `start` goes on with the same cluster. */
  killEverything(): Promise<void>;
  start(): Promise<void>;
  /** No fault, everybody online and healthy, users spread evenly. */
  bringToRest(): Promise<void>;
  /** Lines of a part's log that were written since, as objects. */
  readLog(part: string, sinceMs: number): readonly Record<string, unknown>[];
  close(): Promise<void>;
}

const READY_MS = 180_000;
const REST_MS = 240_000;
const POLL_MS = 1_000;
/** Users of a site are spread evenly enough when no Backend has less than this share of a fair part. */
const FAIR_SHARE = 0.9;

export async function openLabRig(options: LabRigOptions): Promise<LabRig> {
  const { print, stateDir, settings: overrides = {}, parts, partSettings } = options;
  const start = (net: number | 'free'): Promise<Lab> =>
    startLab({
      net,
      stateDir,
      settings: overrides,
      print,
      ...(parts === undefined ? {} : { parts }),
      ...(partSettings === undefined ? {} : { partSettings }),
    });
  const lab = await start(options.net);
  const settings = readLabSettings({ LAB_NET: String(lab.net), LAB_STATE: stateDir });
  const tokens = new Map<string, string>();
  for (const { name } of lab.sites) {
    tokens.set(name, await lab.runScript(name, ['api/issue-token.ts', 'operator']));
  }
  const api = (name: string, attempts = PATIENT): SiteApi => {
    const site = lab.sites.find((each) => each.name === name);
    if (site === undefined) throw new Error(`the lab has no site ${name}`);
    return createSiteApi(site.api, tokens.get(name) ?? '', attempts);
  };
  const geodb = connectGeodb(settings.geodb);
  await switchBalancingOff(geodb, settings);
  const sites = lab.sites.map(({ name }) => name);
  const observer = startObserver({ settings, geodb, sites, api: (name) => api(name, 1) });
  const rig: LabRig = {
    lab,
    settings,
    geodb,
    observer,
    print,
    api,
    killEverything: () => rig.lab.killEverything(),
    start: async () => {
      rig.lab = await start(lab.net);
    },
    bringToRest: () => bringToRest(rig),
    readLog: (part, sinceMs) => readLog(rig.lab.logFileOf(part), sinceMs),
    close: async () => {
      observer.stop();
      await geodb.shutdown();
      await rig.lab.stop();
    },
  };
  const ready = await lab.waitReady({ deadlineMs: READY_MS });
  if (!ready.isReady) print(`not ready: ${JSON.stringify(ready.answers)}`);
  return rig;
}

/** Balancing would give users to whoever came back empty: here only health decides. */
async function switchBalancingOff(
  geodb: cassandra.Client,
  { geodb: { keyspace } }: LabSettings,
): Promise<void> {
  await geodb.execute(
    `UPDATE ${keyspace}.cluster_settings SET value = 'disabled'
       WHERE scope = 'global' AND target = 00000000-0000-0000-0000-000000000000
       AND name = 'BackendLoadBalancing'`,
  );
}

async function bringToRest(rig: LabRig): Promise<void> {
  const backends = hostsOf(rig.settings.net).filter(({ role }) => role === 'backend');
  await restoreBackends(
    rig.settings,
    backends.map(({ name }) => name),
  );
  const options = { timeoutMs: REST_MS, intervalMs: POLL_MS };
  await eventually('everybody is online again', () => isCalm(rig, 'online'), options);
  if (!isSpread(rig.observer.latest(), rig)) await placeUsers(rig.settings, rig.geodb, null);
  // A look that began before the last of them was placed sees that one move later, in nobody's name.
  const placedAtMs = Date.now();
  const isSpreadSince = (): boolean => {
    const sample = rig.observer.latest();
    return (sample?.atMs ?? 0) >= placedAtMs && isSpread(sample, rig);
  };
  await eventually('users are spread evenly', isSpreadSince, options);
  await eventually('everybody is healthy', () => isCalm(rig, 'healthy'), options);
}

/** Online and without operations, and for `healthy` also judged so. */
async function isCalm(rig: LabRig, goal: 'online' | 'healthy'): Promise<boolean> {
  const sites = rig.lab.sites.map(({ name }) => name);
  const overviews = await Promise.all(
    sites.map((site) =>
      rig
        .api(site)
        .readOverview()
        .catch(() => null),
    ),
  );
  return overviews.every(
    (overview) =>
      overview !== null &&
      overview.operations.length === 0 &&
      !overview.catastrophe.isHolding &&
      overview.backends.every(
        ({ status, verdict }) =>
          status === 'online' && (goal === 'online' || verdict === 'healthy'),
      ),
  );
}

function isSpread(sample: Sample | undefined, rig: LabRig): boolean {
  const counts = sample?.users;
  if (counts === undefined || counts === null) return false;
  return rig.lab.sites.every(({ backends }) => {
    const ofSite = backends.map(({ name }) => counts.get(name) ?? 0);
    const fair = ofSite.reduce((sum, one) => sum + one, 0) / ofSite.length;
    return ofSite.every((count) => count >= fair * FAIR_SHARE);
  });
}

function readLog(file: string, sinceMs: number): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        const entry = JSON.parse(line) as Record<string, unknown>;
        const time = entry['time'];
        const atMs = typeof time === 'number' ? time : Date.parse(String(time));
        return atMs >= sinceMs ? [entry] : [];
      } catch {
        return [];
      }
    });
}
