/** Decisions and the snapshots behind them. */
import { z } from '@hono/zod-openapi';
import { BACKEND_STATUSES } from '../../workflows/domain/backend.ts';
import { HEALTH_VERDICTS } from '../../workflows/domain/cluster-snapshot.ts';
import { DECISION_KINDS, REASONS, TASK_NAMES } from '../../workflows/domain/decision.ts';
import { FEATURE_STATES, FEATURES } from '../../workflows/domain/feature-flag.ts';
import { BLIND_REASONS } from '../../workflows/domain/metrics.ts';
import {
  OPERATION_CAUSES,
  OPERATION_KINDS,
  OPERATION_STATES,
} from '../../workflows/domain/operation.ts';
import { nextCursor, pageQuery } from './problem.ts';
import { orNull } from './or-null.ts';

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

const AttemptCountsView = z.object({ succeeded: z.number(), failed: z.number() });

const BackendMemoryView = z.object({
  backendId: z.string(),
  verdict: z.enum(HEALTH_VERDICTS),
  verdictSinceMs: z.number(),
  judgedAtMs: z.number().nullable(),
  lastPartialMoveAtMs: z.number().nullable(),
  lastBalancedAtMs: z.number().nullable(),
  offlineWrittenAtMicros: z.number().nullable(),
  offlineSinceMs: z.number().nullable(),
  returnedAtMs: z.array(z.number()).readonly(),
  operatorHoldUntilMs: z.number().nullable(),
  usersRestUntilMs: z.number().optional(),
});

const BackendFactsView = z
  .object({
    id: z.string(),
    host: z.string(),
    status: z.enum(BACKEND_STATUSES),
    loadFactor: z.number(),
    statusWrittenAtMicros: z.number().nullable(),
    userCount: z.number().nullable(),
    isDoveadmReachable: z.boolean(),
    attempts: z
      .array(
        z.object({
          windowSecs: z.number(),
          logins: AttemptCountsView,
          deliveries: AttemptCountsView,
        }),
      )
      .readonly(),
    load: z
      .object({
        cpu: z.number().nullable(),
        memoryBytes: z.number().nullable(),
        metacacheBytes: z.number().nullable(),
        samples: z.number(),
      })
      .nullable(),
    memory: orNull(BackendMemoryView),
    operation: z
      .object({
        operationId: z.string(),
        kind: z.enum(OPERATION_KINDS),
        cause: z.enum(OPERATION_CAUSES),
        state: z.enum(OPERATION_STATES),
        stateReason: z.string().nullable(),
        remaining: z.number(),
        updatedAtMs: z.number(),
      })
      .nullable(),
    features: z.partialRecord(z.enum(FEATURES), z.enum(FEATURE_STATES)),
  })
  .openapi('BackendFacts');

export const SnapshotView = z
  .object({
    takenAtMs: z.int(),
    siteId: z.string(),
    siteName: z.string(),
    isOwner: z.boolean(),
    epoch: z.int().optional().openapi({ description: 'Of the claim of the site.' }),
    automation: z.enum(['running', 'paused']),
    features: z.record(z.enum(FEATURES), z.enum(FEATURE_STATES)),
    settings: z.record(z.string(), z.number()),
    metrics: MetricsViewSchema,
    backends: z
      .array(BackendFactsView)
      .readonly()
      .openapi({ description: 'The facts of each Backend, as the policy saw them.' }),
  })
  .openapi('Snapshot');

export const DecisionDetail = z
  .object({
    decision: DecisionView,
    snapshot: orNull(SnapshotView).openapi({ description: 'null: expired.' }),
  })
  .openapi('DecisionDetail');

export const DecisionReplay = z
  .object({
    decisionId: z.string(),
    outcome: z.enum(['identical', 'different', 'unknown', 'snapshotExpired']).openapi({
      description:
        'identical: byte for byte. different: the policy of today decides otherwise. unknown: this task decides from other facts.',
    }),
    again: z
      .array(
        DecisionView.omit({
          decisionId: true,
          siteName: true,
          snapshotId: true,
          recordedAtMs: true,
          repeats: true,
          lastRepeatedAtMs: true,
        }),
      )
      .readonly()
      .openapi({ description: 'What is decided today from the same facts.' }),
  })
  .openapi('DecisionReplay');
