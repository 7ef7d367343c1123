/** Moves users between Backends of a site as a real batch move does: their sessions follow. */
import type cassandra from 'cassandra-driver';
import { createDoveadmClient } from './cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY } from './dovecot-config.mjs';
import { hostsOf, PORTS, type LabHost } from './hosts.mjs';
import { LabError } from './lab-control.ts';
import type { LabSettings } from './lab-settings.ts';
import { readCluster } from './read-cluster.ts';

export interface Placement {
  /** This share of a site's users, in per cent, is to live on one Backend. */
  readonly sharePercent: number;
  readonly on: string;
}

interface Move {
  readonly source: LabHost;
  readonly target: LabHost;
  readonly users: readonly string[];
}

const CHUNK = 200;

/**
 * Evenly over the online Backends of each site, or with a placement of one of them; answers how
 * many users were moved. Throws LabError where a source does not answer.
 */
export async function placeUsers(
  lab: LabSettings,
  client: cassandra.Client,
  placement: Placement | null,
): Promise<number> {
  const cluster = await readCluster(lab, client);
  const all = hostsOf(lab.net).filter(({ role }) => role === 'backend');
  const sites = [...new Set(all.map(({ site }) => site))];
  let moved = 0;
  for (const site of sites) {
    const backends = all.filter((backend) => backend.site === site);
    const isHere = placement === null || backends.some(({ name }) => name === placement.on);
    if (!isHere) continue;
    const online = backends.filter(({ name }) => cluster.backends.get(name)?.status === 'online');
    for (const move of planMoves(backends, online, cluster.homes, placement)) {
      moved += await moveUsers(move);
    }
  }
  return moved;
}

/** Takes users from whoever has more than wanted, and gives them to whoever has less. */
function planMoves(
  backends: readonly LabHost[],
  online: readonly LabHost[],
  homes: ReadonlyMap<string, readonly string[]>,
  placement: Placement | null,
): Move[] {
  const usersOf = ({ name }: LabHost) => homes.get(name) ?? [];
  const total = backends.reduce((sum, backend) => sum + usersOf(backend).length, 0);
  const wanted = wantedCounts(online, total, placement);
  const surplus = backends.flatMap((source) =>
    usersOf(source)
      .slice(wanted.get(source.name) ?? 0)
      .map((user) => ({ source, user })),
  );
  const moves: Move[] = [];
  for (const target of online) {
    const missing = (wanted.get(target.name) ?? 0) - usersOf(target).length;
    const taken = surplus.splice(0, Math.max(0, missing));
    for (const source of new Set(taken.map((one) => one.source))) {
      const users = taken.filter((one) => one.source === source).map(({ user }) => user);
      moves.push({ source, target, users });
    }
  }
  return moves;
}

function wantedCounts(online: readonly LabHost[], total: number, placement: Placement | null) {
  const onOne = placement === null ? 0 : Math.round((total * placement.sharePercent) / 100);
  const others = online.filter(({ name }) => name !== placement?.on);
  const rest = total - onOne;
  const counts = others.map(({ name }, index): [string, number] => {
    const base = Math.floor(rest / others.length);
    return [name, base + (index < rest % others.length ? 1 : 0)];
  });
  return new Map(placement === null ? counts : [...counts, [placement.on, onOne]]);
}

async function moveUsers({ source, target, users }: Move): Promise<number> {
  const endpoint = { address: source.address, port: PORTS.doveadm };
  const doveadm = createDoveadmClient(endpoint, DOVEADM_API_KEY);
  let moved = 0;
  for (let begin = 0; begin < users.length; begin += CHUNK) {
    const user = users.slice(begin, begin + CHUNK);
    const parameters = { user, destHost: target.name, maxParallel: 50 };
    const reply = await doveadm.run('clusterUserBatchMove', parameters).catch((cause: unknown) => {
      throw new LabError(`${source.name} does not answer: restore it first`, { cause });
    });
    if (reply.kind === 'error') {
      throw new LabError(`${source.name} refused to move users (${reply.type} ${reply.exitCode})`);
    }
    moved += reply.rows.filter(({ result }) => result === 'moved').length;
  }
  return moved;
}
