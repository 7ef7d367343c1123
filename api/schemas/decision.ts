/** Decisions and the snapshots behind them. */
import { z } from '@hono/zod-openapi';
import { DECISION_KINDS, REASONS, TASK_NAMES } from '../../workflows/domain/decision.ts';
import { FEATURE_STATES, FEATURES } from '../../workflows/domain/feature-flag.ts';
import { BLIND_REASONS } from '../../workflows/domain/metrics.ts';
import { nextCursor, pageQuery } from './problem.ts';

export const TaskNameField = z.enum(TASK_NAMES).openapi('TaskName');

export const DecisionView = z
  .object({
    decisionId: z.string(),
    siteName: z.string(),
    task: TaskNameField,
    kind: z.enum(DECISION_KINDS).openapi('DecisionKind'),
    reason: z.enum(REASONS).openapi('Reason'),
    hosts: z.array(z.string()).readonly(),
    backendId: z.string().nullable(),
    operationId: z.string().nullable(),
    isDryRun: z.boolean().openapi({ description: 'Decided and recorded, not carried out.' }),
    numbers: z.record(z.string(), z.number()),
    limitingSetting: z.string().nullable(),
    detail: z.string().nullable(),
    snapshotId: z.string(),
    recordedAtMs: z.int(),
    repeats: z.int().openapi({ description: 'Equal "nothing" decisions in a row.' }),
    lastRepeatedAtMs: z.int(),
  })
  .openapi('Decision');
export type DecisionView = z.infer<typeof DecisionView>;

export const DecisionPageView = z
  .object({ decisions: z.array(DecisionView).readonly(), cursor: nextCursor })
  .openapi('DecisionPage');

export const DecisionFilter = z.object({
  task: TaskNameField.optional(),
  host: z.string().min(1).max(255).optional(),
  kind: z.enum(DECISION_KINDS).optional(),
  ...pageQuery,
});

export const MetricsViewSchema = z
  .object({
    blindReason: z.enum(BLIND_REASONS).nullable(),
    proxiesExpected: z.int(),
    proxiesSeen: z.int(),
    newestSampleMs: z.number().nullable(),
    scrapeIntervalSecs: z.number().nullable(),
  })
  .openapi('MetricsView');

export const SnapshotView = z
  .object({
    takenAtMs: z.int(),
    siteId: z.string(),
    siteName: z.string(),
    isOwner: z.boolean(),
    automation: z.enum(['running', 'paused']),
    features: z.record(z.enum(FEATURES), z.enum(FEATURE_STATES)),
    settings: z.record(z.string(), z.number()),
    metrics: MetricsViewSchema,
    backends: z
      .array(z.record(z.string(), z.unknown()))
      .readonly()
      .openapi({ description: 'The facts of each Backend, as the policy saw them.' }),
  })
  .openapi('Snapshot');

export const DecisionDetail = z
  .object({
    decision: DecisionView,
    snapshot: SnapshotView.nullable().openapi({ description: 'null: expired.' }),
  })
  .openapi('DecisionDetail');
