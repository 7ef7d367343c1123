/** Operations, their ledger, and plans. */
import { z } from '@hono/zod-openapi';
import {
  OPERATION_CAUSES,
  OPERATION_KINDS,
  OPERATION_STATES,
} from '../../workflows/domain/operation.ts';
import { LEDGER_STATES } from '../../workflows/domain/user-move.ts';
import { MoveView } from './cluster.ts';
import { nextCursor, pageQuery, reasonField } from './problem.ts';

export const OPERATION_ACTIONS = ['pause', 'resume', 'cancel', 'speed', 'retarget'] as const;

export const OperationView = z
  .object({
    operationId: z.string(),
    siteName: z.string(),
    kind: z.enum(OPERATION_KINDS).openapi('OperationKind'),
    cause: z.enum(OPERATION_CAUSES).openapi('OperationCause'),
    isAutomatic: z.boolean(),
    sourceId: z.string(),
    sourceHost: z.string(),
    targets: z
      .array(z.object({ backendId: z.string(), host: z.string().nullable() }))
      .readonly()
      .openapi({ description: 'Empty: chosen by the policy.' }),
    state: z.enum(OPERATION_STATES).openapi('OperationState'),
    stateReason: z.string().nullable(),
    isEnded: z.boolean(),
    allowedActions: z.array(z.enum(OPERATION_ACTIONS)).readonly(),
    requestedBy: z.string(),
    reason: z.string(),
    decisionId: z.string().nullable(),
    originalCount: z.int(),
    round: z.int(),
    counts: z
      .object({
        planned: z.int(),
        confirmed: z.int(),
        skipped: z.int(),
        failed: z.int(),
        remaining: z.int(),
      })
      .openapi({ description: 'planned = confirmed + skipped + failed + remaining.' }),
    confirmedPerSec: z
      .number()
      .nullable()
      .openapi({ description: 'Since the start; null: not started.' }),
    stuck: z.int(),
    forced: z.int(),
    speedPercent: z.number(),
    createdAtMs: z.int(),
    startedAtMs: z.int().nullable(),
    firstConfirmedAtMs: z.int().nullable(),
    endedAtMs: z.int().nullable(),
    updatedAtMs: z.int(),
  })
  .openapi('Operation');
export type OperationView = z.infer<typeof OperationView>;

export const OperationPageView = z
  .object({ operations: z.array(OperationView).readonly(), cursor: nextCursor })
  .openapi('OperationPage');

export const OperationFilter = z.object({
  state: z
    .enum([...OPERATION_STATES, 'open'])
    .optional()
    .openapi({ description: 'open: not ended.' }),
  ...pageQuery,
});

export const MoveFilter = z.object({ state: z.enum(LEDGER_STATES).optional(), ...pageQuery });

export const MovePage = z
  .object({ moves: z.array(MoveView).readonly(), cursor: nextCursor })
  .openapi('UserMovePage');

export const CancelBody = z
  .object({
    reason: reasonField,
    holdSecs: z.int().min(0).max(604_800).default(3600).openapi({
      description:
        'Of an automatic operation: for so long automation keeps its hands off the Backend.',
    }),
  })
  .openapi('CancelBody');

const speed = z.number().min(1).max(100);

export const SpeedBody = z
  .object({ speedPercent: speed, reason: reasonField })
  .openapi('SpeedBody');

/** Of what is started by the same request. */
export const speedField = speed.optional().openapi({
  description: 'Per cent of full speed, from the first user on; it can be changed while it runs.',
});

export const EvacuateBody = z
  .object({
    reason: reasonField,
    dryRun: z.boolean().default(false).openapi({ description: 'Only the plan; moves nobody.' }),
    speedPercent: speedField,
    plan: z.string().min(1).max(8000).optional().openapi({
      description:
        'The planToken of a plan: refused with 409 where the plan would now differ by over 5 %.',
    }),
  })
  .openapi('EvacuateBody');

export const EvacuationPlan = z
  .object({
    planToken: z.string(),
    host: z.string(),
    plannedAtMs: z.int(),
    users: z.int().openapi({ description: 'Users that would be moved.' }),
    usersPerRound: z.int(),
    targets: z
      .array(
        z.object({
          backendId: z.string(),
          host: z.string(),
          users: z.int().openapi({ description: 'Users it would get.' }),
          usersBefore: z.int().nullable(),
        }),
      )
      .readonly(),
    refused: z
      .array(z.object({ backendId: z.string(), host: z.string(), reason: z.string() }))
      .readonly()
      .openapi({ description: 'Backends that get nobody, and why.' }),
    inTheWay: z
      .object({ operationId: z.string(), willBeSuperseded: z.boolean() })
      .nullable()
      .openapi({ description: 'The operation that already runs on this Backend.' }),
  })
  .openapi('EvacuationPlan');
export type EvacuationPlan = z.infer<typeof EvacuationPlan>;
