/** Feature flags, and the automation switch above them. */
import { z } from '@hono/zod-openapi';
import {
  FEATURE_LEVELS,
  FEATURE_STATES,
  FEATURES,
  parseFeatureState,
} from '../../workflows/domain/feature-flag.ts';
import { momentField, reasonField } from './problem.ts';
import { orNull } from './or-null.ts';

export const FeatureName = z.enum(FEATURES).openapi('Feature');
export const FeatureStateName = z.enum(FEATURE_STATES).openapi('FeatureState');
export const FeatureLevelName = z.enum(FEATURE_LEVELS).openapi('FeatureLevel');

export const EffectiveFeature = z
  .object({
    feature: FeatureName,
    state: FeatureStateName,
    decidedBy: z
      .object({
        kind: z.enum(['level', 'default', 'tableMissing', 'metricsExportOff']),
        level: orNull(FeatureLevelName),
        targetId: z.string().nullable(),
        targetName: z.string().nullable(),
      })
      .openapi({ description: 'The most restrictive level; default is disabled.' }),
  })
  .openapi('EffectiveFeature');
export type EffectiveFeature = z.infer<typeof EffectiveFeature>;

export const FeatureSettingView = z
  .object({
    feature: FeatureName,
    level: FeatureLevelName,
    targetId: z.string(),
    targetName: z
      .string()
      .nullable()
      .openapi({ description: 'Site name or Backend host; null: global, or gone.' }),
    state: FeatureStateName,
    setBy: z.string().nullable(),
    reason: z.string().nullable(),
    setAtMs: z.int().nullable(),
    expiresAtMs: z.int().nullable(),
    formerState: orNull(FeatureStateName).openapi({
      description: 'Back in force from expiresAtMs on; null: unset.',
    }),
  })
  .openapi('FeatureSetting');
export type FeatureSettingView = z.infer<typeof FeatureSettingView>;

export const FeaturesView = z
  .object({
    siteName: z.string(),
    isTableMissing: z.boolean().openapi({
      description: 'No table of flags: everything counts as enabled, as documented.',
    }),
    effective: z.array(EffectiveFeature).readonly().openapi({ description: 'At the home site.' }),
    backends: z
      .array(
        z.object({
          backendId: z.string(),
          host: z.string(),
          effective: z.array(EffectiveFeature).readonly(),
        }),
      )
      .readonly(),
    settings: z
      .array(FeatureSettingView)
      .readonly()
      .openapi({ description: 'Every set flag: global, the home site, its Backends.' }),
  })
  .openapi('Features');
export type FeaturesView = z.infer<typeof FeaturesView>;

export const FeatureChange = z
  .object({
    level: FeatureLevelName,
    target: z.string().min(1).max(255).optional().openapi({
      description: 'Site name (default: the home site) or Backend host; none for global.',
    }),
    state: z
      .string()
      .nullable()
      .refine((text) => text === null || parseFeatureState(text) !== undefined, {
        message: 'enabled, disabled or dryRun (on, off, dryrun), or null to unset',
      })
      .openapi({ description: 'enabled, disabled, dryRun (on, off, dryrun); null: inherit.' }),
    reason: reasonField,
    expiresAt: momentField.optional().openapi({
      description: 'The former state is back from then on.',
    }),
  })
  .openapi('FeatureChange');

export const AutomationView = z
  .object({
    siteName: z.string(),
    state: z.enum(['running', 'paused']),
    setBy: z.string().nullable(),
    reason: z.string().nullable(),
    setAtMs: z.int().nullable(),
    untilMs: z.int().nullable().openapi({ description: 'Paused until then.' }),
  })
  .openapi('Automation');
export type AutomationView = z.infer<typeof AutomationView>;

export const AutomationChange = z
  .object({
    state: z.enum(['running', 'paused']),
    reason: reasonField,
    until: momentField
      .optional()
      .openapi({ description: 'Only with paused: running again from then on.' }),
  })
  .openapi('AutomationChange');
