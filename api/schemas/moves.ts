/** Moves that an operator asks for, other than a whole evacuation. */
import { z } from '@hono/zod-openapi';
import { EvacuationPlan, OperationView, speedField } from './operation.ts';
import { reasonField } from './problem.ts';

const hostName = z.string().min(1).max(255);

export const MoveShareBody = z
  .object({
    reason: reasonField,
    percentage: z.int().min(1).max(100).openapi({ description: 'Of the users that live there.' }),
    destHosts: z.array(hostName).max(500).default([]).openapi({
      description: 'Backends, also of other sites. None, and no site: chosen in the home site.',
    }),
    destSites: z.array(hostName).max(100).default([]).openapi({
      description: 'All Backends of these sites that may take users.',
    }),
    dryRun: z.boolean().default(false).openapi({ description: 'Only the plan; moves nobody.' }),
    speedPercent: speedField,
    plan: z.string().min(1).max(60_000).optional().openapi({
      description:
        'The planToken of a plan: refused with 409 where the plan would now differ by over 5 %.',
    }),
  })
  .openapi('MoveShareBody');
export type MoveShareBody = z.infer<typeof MoveShareBody>;

export const MovePlan = z
  .object({
    planToken: z.string(),
    users: z.int(),
    sources: z.array(EvacuationPlan).readonly(),
  })
  .openapi('MovePlan');
export type MovePlan = z.infer<typeof MovePlan>;

export const MovesStarted = z
  .object({
    operations: z.array(OperationView).readonly().openapi({ description: 'One a source.' }),
    busy: z
      .array(z.object({ host: z.string(), operationId: z.string().nullable() }))
      .readonly()
      .openapi({ description: 'Sources where another Operation runs: nothing was started there.' }),
    notMoved: z
      .array(
        z.object({
          username: z.string(),
          reason: z.enum(['UserUnknown', 'AlreadyOnTarget', 'NotHomeSite']),
        }),
      )
      .readonly()
      .openapi({ description: 'Named users that no Operation moves.' }),
  })
  .openapi('MovesStarted');
export type MovesStarted = z.infer<typeof MovesStarted>;

export const MoveUserBody = z
  .object({ reason: reasonField, destHost: hostName })
  .openapi('MoveUserBody');

export const MoveUsersBody = z
  .object({
    reason: reasonField,
    destHost: hostName,
    users: z.array(z.string().min(1).max(320)).min(1).max(1000),
  })
  .openapi('MoveUsersBody');

export const RetargetBody = z
  .object({ reason: reasonField, destHosts: z.array(hostName).min(1).max(500) })
  .openapi('RetargetBody');

export const HoldView = z
  .object({ host: z.string(), operatorHoldUntilMs: z.int().nullable() })
  .openapi('Hold');
