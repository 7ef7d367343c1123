/** Which lab a tool means: its net, its state folder, and where its servers are. */
import { addressesOf, parseNet, readRunningLab, STATE_DIR } from './hosts.mjs';
import type { GeodbAddress } from './seed-geodb.ts';

export interface LabSettings {
  readonly net: number;
  readonly stateDir: string;
  readonly geodb: GeodbAddress;
  /** URL of the supervisor. */
  readonly control: string;
  /** URL of the traffic generator. */
  readonly traffic: string;
}

const DEFAULT_NET = 0;

/** LAB_STATE and LAB_NET, else the lab of `npm start`, whatever net it has. */
export function readLabSettings(environment: NodeJS.ProcessEnv): LabSettings {
  const stateDir = environment['LAB_STATE'] || STATE_DIR;
  const net = parseNet(environment['LAB_NET'], readRunningLab(stateDir)?.net ?? DEFAULT_NET);
  const { cassandra, control, traffic } = addressesOf(net);
  return {
    net,
    stateDir,
    geodb: { contactPoint: cassandra, keyspace: 'd8s_cluster' },
    control,
    traffic,
  };
}
