/** Rows that point to a site or a Backend: read to find what points to nothing, and removed. */
import type { Reference } from '../../workflows/domain/references.ts';
import type { CassandraSession, Row } from '../cassandra-session.ts';
import { requiredText } from '../cassandra-values.ts';
import type { Geodb } from './geodb.ts';
import type { GeodbStatements } from './statements.ts';

type ReferenceMethods = Pick<Geodb, 'readReferences' | 'removeReference'>;

export function referenceMethods(
  session: CassandraSession,
  statements: GeodbStatements,
): ReferenceMethods {
  const scoped =
    (table: 'cluster_settings' | 'force_moves') =>
    (row: Row): Reference => ({
      table,
      scope: requiredText(row, 'scope'),
      target: requiredText(row, 'target'),
    });
  return {
    readReferences: async () => {
      const [settings, forceMoves, reachability] = await Promise.all([
        session.read('readReferences', statements.readSettingTargets, []),
        session.read('readReferences', statements.readForceMoveTargets, []),
        session.read('readReferences', statements.readSiteReachability, []),
      ]);
      return [
        ...settings.map(scoped('cluster_settings')),
        ...forceMoves.map(scoped('force_moves')),
        ...reachability.map((row): Reference => {
          const [from, to] = [
            requiredText(row, 'source_site_id'),
            requiredText(row, 'target_site_id'),
          ];
          return { table: 'site_reachability', scope: '', target: `${from}/${to}` };
        }),
      ];
    },
    removeReference: async ({ table, scope, target }) => {
      const remove = (statement: GeodbStatements['removeSettingTarget'], params: string[]) =>
        session.write('removeReference', statement, params);
      if (table === 'cluster_settings')
        await remove(statements.removeSettingTarget, [scope, target]);
      if (table === 'force_moves') await remove(statements.removeForceMove, [scope, target]);
      if (table === 'site_reachability') {
        await remove(statements.removeReachability, target.split('/'));
      }
    },
  };
}
