import type {
  Feature,
  FeatureLevel,
  FeatureSetting,
  FeatureSettings,
  FeatureState,
} from '../domain/feature-flag.ts';

/** A flag as the GeoDB has it. */
export interface FeatureRow {
  readonly level: FeatureLevel;
  readonly targetId: string;
  readonly feature: Feature;
  readonly state: FeatureState;
}

/** Who set a flag, why and until when, as our own store has it. `state` null: it was unset. */
export interface FeatureProvenance {
  readonly level: FeatureLevel;
  readonly targetId: string;
  readonly feature: Feature;
  readonly state: FeatureState | null;
  readonly setBy: string;
  readonly reason: string;
  readonly setAtMs: number;
  readonly expiresAtMs: number | null;
  readonly formerState: FeatureState | null;
}

/**
 * All flags set at `nowMs`, each with its provenance where that still speaks of the stored value. The
 * GeoDB is the truth: where its value is another than the one we set, somebody else set it later, and
 * what we remember is void. What has expired is its former state again, also while the GeoDB still
 * holds the temporary one.
 *
 * @param rows null: the table of flags does not exist (documented compatibility)
 */
export function mergeFeatureSettings(
  rows: readonly FeatureRow[] | null,
  provenances: readonly FeatureProvenance[],
  nowMs: number,
): FeatureSettings {
  if (rows === null) return { isTableMissing: true, settings: [] };
  const known = new Map(provenances.map((provenance) => [keyOf(provenance), provenance]));
  const settings = rows.flatMap((row) => toSetting(row, known.get(keyOf(row)), nowMs));
  const stored = new Set(rows.map(keyOf));
  const returning = provenances.filter(
    (provenance) => provenance.state === null && !stored.has(keyOf(provenance)),
  );
  return {
    isTableMissing: false,
    settings: [...settings, ...returning.flatMap((unset) => formerSetting(unset, nowMs))],
  };
}

function keyOf(flag: Pick<FeatureRow, 'level' | 'targetId' | 'feature'>): string {
  return `${flag.level}/${flag.targetId}/${flag.feature}`;
}

function toSetting(
  row: FeatureRow,
  provenance: FeatureProvenance | undefined,
  nowMs: number,
): FeatureSetting[] {
  if (provenance?.state !== row.state) {
    return [
      { ...row, setBy: null, reason: null, setAtMs: null, expiresAtMs: null, formerState: null },
    ];
  }
  if (isExpired(provenance, nowMs)) return formerSetting(provenance, nowMs);
  return [{ ...provenance, state: row.state }];
}

/** What an expired flag left behind: the state before it, where there was one. */
function formerSetting(provenance: FeatureProvenance, nowMs: number): FeatureSetting[] {
  const { level, targetId, feature, formerState, setBy, reason, expiresAtMs } = provenance;
  if (formerState === null || !isExpired(provenance, nowMs)) return [];
  return [
    {
      level,
      targetId,
      feature,
      state: formerState,
      setBy,
      reason: `back after: ${reason}`,
      setAtMs: expiresAtMs,
      expiresAtMs: null,
      formerState: null,
    },
  ];
}

function isExpired(provenance: FeatureProvenance, nowMs: number): boolean {
  return provenance.expiresAtMs !== null && provenance.expiresAtMs <= nowMs;
}
