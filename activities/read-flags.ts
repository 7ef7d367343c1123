import type { FeatureSettings } from '../workflows/domain/feature-flag.ts';
import { mergeFeatureSettings } from '../workflows/policy/merge-feature-settings.ts';
import type { AutomationState } from '../workflows/domain/cluster-snapshot.ts';
import type { ActivityContext } from './context.ts';

export interface Switches {
  readonly flags: FeatureSettings;
  readonly automation: AutomationState;
}

/** Flags with their overrides, and the site's one switch; read again before every act. */
export async function readSwitches(context: ActivityContext, nowMs: number): Promise<Switches> {
  const [rows, overrides, automation] = await Promise.all([
    context.geodb.readFeatureRows(),
    context.store.readFeatureOverrides(),
    context.store.readAutomation(context.config.site),
  ]);
  const isOver = automation?.untilMs != null && automation.untilMs <= nowMs;
  return {
    flags: mergeFeatureSettings(rows, overrides, nowMs),
    automation: automation?.state === 'paused' && !isOver ? 'paused' : 'running',
  };
}
