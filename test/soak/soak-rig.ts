/** A lab for the soak: a proxy between every controller and its neighbours, and a direct way past them. */
import { labId } from '../../lab/mail/seed-geodb.ts';
import { createGateways, type Gateways } from '../../gateways/create-gateways.ts';
import { readConfig } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import type { PolicySettings } from '../../workflows/domain/policy-settings.ts';
import { openLabRig, type LabRig } from '../system/lab-rig.ts';
import { openLinks, type Links } from './links.ts';
import { BACKENDS } from './site-parts.ts';

export interface SoakRig extends LabRig {
  readonly links: Links;
  /** Straight to the stores: no fault of the network comes in between. */
  readonly direct: Gateways;
  readonly policy: PolicySettings;
  /** One run of a task every so many seconds. */
  readonly cycleSecs: number;
  /** Host names of the Backends by id. */
  readonly hosts: ReadonlyMap<string, string>;
}

const CYCLE_SECS = 5;

/** Windows that a run would only wait for are shorter, and limits low enough to be reached. */
const SETTINGS: Readonly<Record<string, string>> = {
  HOST_FAILURE_CRITICAL_WINDOW_SECS: '8',
  HOST_FAILURE_WINDOW_SECS: '12',
  HOST_FAILURE_MIN_LOGINS: '15',
  HOST_FAILURE_COOL_TIME_SECS: '20',
  HOST_RECOVERY_WINDOW_SECS: '8',
  HOST_RECOVERY_MAX_HOLD_SECS: '12',
  HOST_LOAD_BALANCE_BACKEND_COOL_TIME_SECS: '20',
  HOST_LOAD_BALANCE_MIN_COOL_TIME_SECS: '30',
  HOST_LOAD_BALANCE_MIN_SAMPLES: '30',
  MAX_PARALLEL_MOVES: '30',
  MAX_PARALLEL_INFLOW: '50',
  CHECK_BACKEND_HEALTH_INTERVAL_SECS: String(CYCLE_SECS),
  EVACUATE_ZERO_LOAD_FACTOR_HOSTS_INTERVAL_SECS: String(CYCLE_SECS),
  REBALANCE_SITES_INTERVAL_SECS: '10',
};

const PARTS = ['infra', 'mail', 'traffic', 'workers', 'apis', 'worker-north-2'];

export async function openSoakRig(options: {
  readonly net: number | 'free';
  readonly stateDir: string;
  readonly print: (line: string) => void;
}): Promise<SoakRig> {
  const opened: { links: Links | null } = { links: null };
  const rig = await openLabRig({
    ...options,
    settings: SETTINGS,
    parts: PARTS,
    partSettings: async (net) => {
      opened.links ??= await openLinks(net);
      return opened.links.settings;
    },
  });
  const { links } = opened;
  if (links === null) throw new Error('the lab started without its links');
  const config = readConfig(rig.lab.environmentOf('north'));
  const logger = createLogger({ level: 'silent', role: 'soak' });
  const direct = createGateways(config, logger, createMetrics({ isDefaultIncluded: false }));
  return {
    ...rig,
    links,
    direct,
    policy: config.policy,
    cycleSecs: CYCLE_SECS,
    hosts: new Map(BACKENDS.map((host) => [labId(host), host])),
    close: async () => {
      await direct.close();
      await rig.close();
      await links.close();
    },
  };
}
