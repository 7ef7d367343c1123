/** The same work with nothing of the controller around it: commands to the Backend alone, writes to Cassandra alone. */
import { createDoveadmClient } from '../../lab/mail/cluster-service/doveadm-client.ts';
import { DOVEADM_API_KEY } from '../../lab/mail/dovecot-config.mjs';
import { hostsOf, PORTS } from '../../lab/mail/hosts.mjs';
import { labId } from '../../lab/mail/seed-geodb.ts';
import { inParallel, type BenchLab } from './bench-lab.ts';

const CHUNK = 200;
const COMMANDS_AT_ONCE = 4;
const USERS_AT_ONCE = 100;
const WRITES_AT_ONCE = 64;

export interface BareMoves {
  readonly source: string;
  readonly targets: readonly string[];
  readonly users: readonly string[];
}

export interface BareResult {
  readonly secs: number;
  /** When the command with that user was sent, epoch milliseconds. */
  readonly sentAtMs: ReadonlyMap<string, number>;
}

/** `cluster user batch move`, one command after the other in 4 lanes. */
export async function moveByCommands(net: number, moves: BareMoves): Promise<BareResult> {
  const { source, targets, users } = moves;
  const address = hostsOf(net).find(({ name }) => name === source)?.address ?? '';
  const doveadm = createDoveadmClient({ address, port: PORTS.doveadm }, DOVEADM_API_KEY);
  const chunks = Array.from({ length: Math.ceil(users.length / CHUNK) }, (_, index) => ({
    target: targets[index % targets.length] ?? '',
    names: users.slice(index * CHUNK, (index + 1) * CHUNK),
  }));
  const sentAtMs = new Map<string, number>();
  const startedAtMs = performance.now();
  await inParallel(chunks, COMMANDS_AT_ONCE, async ({ target, names }) => {
    const nowMs = Date.now();
    for (const name of names) sentAtMs.set(name, nowMs);
    const parameters = { user: names, destHost: target, maxParallel: USERS_AT_ONCE };
    const reply = await doveadm.run('clusterUserBatchMove', parameters);
    const moved =
      reply.kind === 'rows' ? reply.rows.filter(({ result }) => result === 'moved').length : 0;
    if (moved < names.length) throw new Error(`${names.length - moved} users were not moved`);
  });
  return { secs: (performance.now() - startedAtMs) / 1000, sentAtMs };
}

const LEDGER = 'dovekeeper.move_ledger';

/** For each user one row into a ledger and one new home, 64 users at a time. Answers seconds. */
export async function moveByWrites(
  { geodb, settings }: Pick<BenchLab, 'geodb' | 'settings'>,
  { source, targets, users }: BareMoves,
): Promise<number> {
  const operationId = `bench-${Date.now()}`;
  const insert =
    `INSERT INTO ${LEDGER} (operation_id, chunk, username, source_id, target_id, state) ` +
    "VALUES (?, ?, ?, ?, ?, 'confirmed') USING TTL 86400";
  const update =
    `UPDATE ${settings.geodb.keyspace}.users ` +
    'SET backend_id = ?, alt_backend_id = ?, last_moved = ? WHERE username = ?';
  const sourceId = labId(source);
  const targetIds = targets.map(labId);
  const startedAtMs = performance.now();
  const numbered = users.map((user, index) => ({ user, chunk: Math.floor(index / CHUNK) }));
  await inParallel(numbered, WRITES_AT_ONCE, async ({ user, chunk }) => {
    const targetId = targetIds[chunk % targetIds.length] ?? sourceId;
    await geodb.execute(insert, [operationId, chunk, user, sourceId, targetId]);
    await geodb.execute(update, [targetId, sourceId, new Date(), user]);
  });
  return (performance.now() - startedAtMs) / 1000;
}
