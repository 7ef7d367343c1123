/** Snapshots: compressed, under the hash of their content. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import type { ClusterSnapshot } from '../../workflows/domain/cluster-snapshot.ts';
import type { CassandraSession } from '../cassandra-session.ts';
import type { ControllerStore } from './controller-store.ts';
import { BRIEFLY_KEPT_SECS, KEPT_SECS } from './statements.ts';
import type { StoreStatements } from './statements.ts';

type SnapshotMethods = Pick<ControllerStore, 'saveSnapshot' | 'readSnapshot'>;

const compress = promisify(deflate) as (data: Buffer) => Promise<Buffer>;
const decompress = promisify(inflate) as (data: Buffer) => Promise<Buffer>;

export function snapshotMethods(
  session: CassandraSession,
  statements: StoreStatements,
): SnapshotMethods {
  return {
    saveSnapshot: async (snapshot, { keep }) => {
      const text = toCanonicalJson(snapshot);
      const snapshotId = createHash('sha256').update(text).digest('hex');
      const body = await compress(Buffer.from(text));
      // The content of an id never differs; the later timestamp makes the longer life win.
      const timestamp = BigInt(Math.trunc(snapshot.takenAtMs)) * 1000n + (keep ? 1n : 0n);
      const params = [snapshotId, body, keep ? KEPT_SECS : BRIEFLY_KEPT_SECS, timestamp];
      await session.write('saveSnapshot', statements.saveSnapshot, params);
      return snapshotId;
    },
    readSnapshot: async (snapshotId) => {
      const row = await session.readOne('readSnapshot', statements.readSnapshot, [snapshotId]);
      if (row === null) return null;
      const text = await decompress(row['body'] as Buffer);
      return JSON.parse(text.toString('utf8')) as ClusterSnapshot;
    },
  };
}

/** Equal content is equal text: keys are sorted. */
function toCanonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
