/** One document for the first page of the UI. */
import { z } from '@hono/zod-openapi';
import { BalancingView } from './balancing.ts';
import { BackendView, ForeignMovesView, SiteView } from './cluster.ts';
import { DecisionView, MetricsViewSchema } from './decision.ts';
import { AutomationView, EffectiveFeature } from './feature.ts';
import { OperationView } from './operation.ts';
import { DependenciesView } from './task.ts';

export const CatastropheView = z
  .object({
    isHolding: z.boolean(),
    sharePercent: z.number().nullable().openapi({ description: 'null: never judged.' }),
    thresholdPercent: z.number(),
    failingHosts: z.array(z.string()).readonly(),
    decisionId: z.string().nullable(),
    sinceMs: z.int().nullable(),
  })
  .openapi('Catastrophe');
export type CatastropheView = z.infer<typeof CatastropheView>;

export const OverviewView = z
  .object({
    nowMs: z.int(),
    site: SiteView,
    ownership: z
      .object({
        isOwner: z
          .boolean()
          .nullable()
          .openapi({ description: 'null: Temporal does not answer, so unknown.' }),
        owner: z.string().nullable(),
        epoch: z.int().nullable(),
      })
      .openapi({ description: 'A controller that does not own its site stays passive.' }),
    automation: AutomationView,
    features: z.array(EffectiveFeature).readonly(),
    metrics: z.object({
      view: MetricsViewSchema.nullable().openapi({ description: 'null: nothing is known.' }),
      source: z.enum(['cache', 'prometheus', 'none']),
      isBlind: z.boolean(),
      takenAtMs: z.number().nullable(),
      ageSecs: z.number().nullable().openapi({ description: 'Age of the newest sample.' }),
      maxAgeSecs: z.number(),
    }),
    catastrophe: CatastropheView,
    balancing: BalancingView,
    limits: z.object({
      failureRatio: z.number(),
      failureCriticalRatio: z.number(),
      failureMinLogins: z.number(),
      failureWindowSecs: z.number(),
      failureCriticalWindowSecs: z.number(),
    }),
    backends: z.array(BackendView).readonly().openapi({ description: 'Sorted by host.' }),
    operations: z.array(OperationView).readonly().openapi({ description: 'Not ended.' }),
    foreignMoves: ForeignMovesView,
    decisions: z.array(DecisionView).readonly().openapi({ description: 'Newest first.' }),
    counts: z.object({
      users: z.int().nullable(),
      backends: z.int(),
      online: z.int(),
      offline: z.int(),
      standby: z.int(),
      healthy: z.int(),
      degraded: z.int(),
      critical: z.int(),
      unknown: z.int(),
      openOperations: z.int(),
      siteFailureRatio: z.number().nullable().openapi({
        description:
          'Of logins and deliveries; Backends that are offline and empty are left out. null: no attempts.',
      }),
      attemptsPerSec: z.number().nullable().openapi({
        description: 'Of the same logins and deliveries. null: nothing was measured.',
      }),
    }),
    reachability: z.object({ sites: z.int(), unreachable: z.int() }),
    overdueTasks: z
      .array(z.string())
      .readonly()
      .openapi({ description: 'Without a success for three intervals, and not paused.' }),
    pausedTasks: z.array(z.string()).readonly(),
    strandedUsers: z.int().nullable().openapi({
      description:
        'Users who point to a Backend that does not exist, as delete_stale_data counted; null: not counted yet. Never deleted.',
    }),
    dependencies: DependenciesView,
  })
  .openapi('Overview');
export type OverviewView = z.infer<typeof OverviewView>;
