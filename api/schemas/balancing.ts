/** Load scores and balancing. */
import { z } from '@hono/zod-openapi';
import { BALANCING_EXCLUSIONS } from '../../workflows/policy/exclude-from-balancing.ts';
import { DecisionView } from './decision.ts';
import { orNull } from './or-null.ts';

const part = (what: string) =>
  z
    .number()
    .nullable()
    .openapi({ description: `z-score of ${what}; null: not measured, or no spread.` });

/** Where one Backend stands. */
export const BackendBalanceView = z
  .object({
    exclusion: z
      .enum(BALANCING_EXCLUSIONS)
      .nullable()
      .openapi({ description: 'Why it takes no part; null: it does.' }),
    score: z
      .number()
      .nullable()
      .openapi({ description: 'Sum of the parts; null: takes no part, or nobody to compare.' }),
    parts: z.object({
      memory: part('memory'),
      cpu: part('CPU'),
      metacache: part('the metacache'),
    }),
  })
  .openapi('BackendBalance');

export const BalancingView = z
  .object({
    mostLoadedHost: z.string().nullable(),
    leastLoadedHost: z.string().nullable(),
    scoreDelta: z.number().nullable().openapi({ description: 'null: fewer than two take part.' }),
    threshold: z
      .number()
      .openapi({ description: 'HOST_LOAD_BALANCE_SCORE_DELTA_THRESHOLD_RATIO.' }),
    spreadPercent: z.number().nullable(),
    eligible: z.int(),
    moveRatio: z.number(),
    userCoolTimeSecs: z.number(),
    backendCoolTimeSecs: z.number(),
    minSamples: z.number(),
    wouldNow: DecisionView.pick({
      kind: true,
      reason: true,
      hosts: true,
      isDryRun: true,
      numbers: true,
      limitingSetting: true,
      detail: true,
    }).openapi('BalancingPlan', {
      description: 'What a cycle would decide now, with projected scores where it would move.',
    }),
    lastDecision: orNull(DecisionView),
  })
  .openapi('Balancing');
export type BalancingView = z.infer<typeof BalancingView>;
