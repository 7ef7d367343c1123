/** Feature flags and other rows of the settings table. */
import type { FeatureState } from '../../workflows/domain/feature-flag.ts';
import {
  FEATURE_LEVELS,
  FEATURES,
  parseFeatureState,
} from '../../workflows/domain/feature-flag.ts';
import type { CassandraSession, Row } from '../cassandra-session.ts';
import { requiredText, textOf } from '../cassandra-values.ts';
import { GatewayError } from '../gateway-error.ts';
import type { Geodb, RawFeatureRow } from './geodb.ts';
import { ACCEPT_NEW_USERS, WRITTEN_FEATURE_STATES } from './names.ts';
import type { GeodbStatements } from './statements.ts';

type FeatureMethods = Pick<Geodb, 'readFeatureRows' | 'writeFeature' | 'setAcceptNewUsers'>;

export function featureMethods(
  session: CassandraSession,
  statements: GeodbStatements,
): FeatureMethods {
  return {
    readFeatureRows: async () => {
      try {
        const rows = await session.read('readFeatureRows', statements.readSettings, []);
        return rows.map(toFeatureRow).filter((row) => row !== null);
      } catch (error) {
        if (error instanceof GatewayError && error.code === 'MissingTable') return null;
        throw error;
      }
    },
    writeFeature: async ({ level, targetId, feature, state }) => {
      const key = [level, targetId, feature];
      if (state === null) await session.write('writeFeature', statements.removeSetting, key);
      else {
        const written = [...key, WRITTEN_FEATURE_STATES[state]];
        await session.write('writeFeature', statements.writeSetting, written);
      }
    },
    setAcceptNewUsers: async (backendId, isAccepting) => {
      const key = ['backend', backendId, ACCEPT_NEW_USERS.name];
      if (isAccepting) await session.write('setAcceptNewUsers', statements.removeSetting, key);
      else {
        const refusing = [...key, ACCEPT_NEW_USERS.refusing];
        await session.write('setAcceptNewUsers', statements.writeSetting, refusing);
      }
    },
  };
}

/** null: a setting that is no feature flag. A state that nobody knows is the most restrictive one. */
function toFeatureRow(row: Row): RawFeatureRow | null {
  const name = requiredText(row, 'name').toLowerCase();
  const scope = requiredText(row, 'scope').toLowerCase();
  const feature = FEATURES.find((one) => one.toLowerCase() === name);
  const level = FEATURE_LEVELS.find((one) => one === scope);
  if (feature === undefined || level === undefined) return null;
  const state: FeatureState = parseFeatureState(textOf(row, 'value') ?? '') ?? 'disabled';
  return { level, targetId: requiredText(row, 'target'), feature, state };
}
