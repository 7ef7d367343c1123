/** Sites, Backends and users. */
import { z } from '@hono/zod-openapi';
import { BACKEND_STATUSES } from '../../workflows/domain/backend.ts';
import { HEALTH_VERDICTS } from '../../workflows/domain/cluster-snapshot.ts';
import { LEDGER_STATES } from '../../workflows/domain/user-move.ts';
import { BackendBalanceView } from './balancing.ts';
import { DecisionView } from './decision.ts';
import { EffectiveFeature } from './feature.ts';
import { nextCursor } from './problem.ts';
import { orNull } from './or-null.ts';

export const SiteView = z
  .object({
    id: z.string(),
    name: z.string(),
    status: z.enum(['online', 'offline', 'standby', 'evacuate']),
    loadBalancer: z.string().nullable(),
    tag: z.string().nullable(),
    isHome: z.boolean().openapi({ description: 'Governed by this controller.' }),
    backendCount: z.int(),
    onlineBackendCount: z.int(),
  })
  .openapi('Site');
export type SiteView = z.infer<typeof SiteView>;

export const SiteList = z.object({ sites: z.array(SiteView).readonly() }).openapi('SiteList');

const Attempts = z.object({
  succeeded: z.number(),
  failed: z.number(),
  ratio: z.number().nullable().openapi({ description: '0 to 1; null: no attempts.' }),
});

export const FailureView = z
  .object({
    windowSecs: z.number(),
    logins: Attempts,
    deliveries: Attempts,
    worstRatio: z
      .number()
      .nullable()
      .openapi({ description: 'Worst of logins, deliveries and both; null: no attempts.' }),
  })
  .openapi('FailureRate');
export type FailureView = z.infer<typeof FailureView>;

export const LoadView = z
  .object({
    cpu: z.number().nullable().openapi({ description: 'Cores in use.' }),
    memoryBytes: z.number().nullable(),
    metacacheBytes: z.number().nullable(),
    samples: z.int(),
  })
  .openapi('Load');

const ForeignMovesOff = z.object({
  users: z.int(),
  oldestSeenAtMs: z.int().openapi({ description: 'When the oldest of them was first seen.' }),
});

export const ForeignMovesView = z
  .object({
    scannedAtMs: z.int().nullable().openapi({ description: 'null: nobody has looked yet.' }),
    isPartial: z.boolean().openapi({ description: 'There are more than were counted.' }),
    users: z.int(),
    oldestSeenAtMs: z.int().nullable(),
    sources: z
      .array(
        ForeignMovesOff.extend({
          backendId: z.string(),
          host: z.string().nullable().openapi({ description: 'null: no such Backend any more.' }),
        }),
      )
      .readonly(),
  })
  .openapi('ForeignMoves', {
    description:
      'Moves that no Operation of this controller began; since when is its own first sight of them.',
  });
export type ForeignMovesView = z.infer<typeof ForeignMovesView>;
export const DoveadmView = z
  .object({
    isReachable: z.boolean().openapi({
      description: 'Whether this controller reaches it: else it is no target of moves.',
    }),
    failure: z.string().nullable().openapi({ description: 'Of the last look; null: it answered.' }),
    sinceMs: z.int(),
    checkedAtMs: z.int(),
  })
  .openapi('DoveadmReachability');

export const BackendView = z
  .object({
    id: z.string(),
    host: z.string(),
    siteName: z.string(),
    status: z.enum(BACKEND_STATUSES),
    loadFactor: z.int(),
    verdict: z.enum(HEALTH_VERDICTS).openapi({ description: 'Of the last health check.' }),
    verdictSinceMs: z.int().nullable(),
    judgedAtMs: z
      .int()
      .nullable()
      .openapi({ description: 'When the verdict was last other than unknown.' }),
    users: z.int().nullable().openapi({ description: 'null: not counted yet.' }),
    usersCountedAtMs: z.int().nullable(),
    sessions: z.int().nullable().openapi({ description: 'null: not measured.' }),
    failure: orNull(FailureView).openapi({
      description: 'Over HOST_FAILURE_WINDOW_SECS; null: no series, or blind.',
    }),
    criticalFailure: orNull(FailureView).openapi({
      description: 'Over HOST_FAILURE_CRITICAL_WINDOW_SECS; null: no series, or blind.',
    }),
    load: orNull(LoadView),
    foreignMoves: orNull(ForeignMovesOff).openapi({
      description: 'Moves off it that no Operation of this controller began; null: none.',
    }),
    balancing: orNull(BackendBalanceView).openapi({ description: 'null: of another site.' }),
    doveadm: orNull(DoveadmView).openapi({ description: 'null: nobody looked yet.' }),
    isOfflineByController: z.boolean(),
    operatorHoldUntilMs: z
      .int()
      .nullable()
      .openapi({ description: 'Automation keeps its hands off until then.' }),
    operationId: z.string().nullable().openapi({ description: 'The operation not yet ended.' }),
    lastDecision: orNull(DecisionView),
  })
  .openapi('Backend');
export type BackendView = z.infer<typeof BackendView>;

export const BackendList = z
  .object({ siteName: z.string(), backends: z.array(BackendView).readonly() })
  .openapi('BackendList');

export const BackendDetail = BackendView.extend({
  isHome: z.boolean(),
  features: z.array(EffectiveFeature).readonly(),
  lastDecisions: z.array(DecisionView).readonly(),
}).openapi('BackendDetail');

export const BackendUser = z
  .object({
    username: z.string(),
    alternativeHost: z.string().nullable(),
    isMoving: z.boolean(),
    lastMovedMs: z.int().nullable(),
  })
  .openapi('BackendUser');

export const BackendUserPage = z
  .object({ host: z.string(), users: z.array(BackendUser).readonly(), cursor: nextCursor })
  .openapi('BackendUserPage');

export const MoveView = z
  .object({
    operationId: z.string(),
    username: z.string(),
    chunk: z.int(),
    sourceId: z.string(),
    sourceHost: z.string().nullable(),
    targetId: z.string(),
    targetHost: z.string().nullable(),
    state: z.enum(LEDGER_STATES),
    reason: z.string().nullable(),
    attempts: z.int(),
    isForced: z.boolean(),
    sentAtMs: z.int().nullable(),
    endedAtMs: z.int().nullable(),
  })
  .openapi('UserMove');
export type MoveView = z.infer<typeof MoveView>;

const Place = z.object({
  backendId: z.string(),
  host: z.string().nullable().openapi({ description: 'null: no such Backend any more.' }),
  siteName: z.string().nullable(),
});

export const UserView = z
  .object({
    username: z.string(),
    home: Place,
    alternative: orNull(Place),
    isMoving: z.boolean(),
    lastMovedMs: z.int().nullable(),
    moves: z.array(MoveView).readonly().openapi({ description: 'Newest first.' }),
  })
  .openapi('User');

export const ReachabilityView = z
  .object({
    sites: z.array(z.string()).readonly(),
    pairs: z
      .array(
        z.object({
          source: z.string().openapi({ description: 'The site that looks.' }),
          target: z.string(),
          isReachable: z.boolean(),
          checkedAtMs: z.int().nullable(),
        }),
      )
      .readonly(),
  })
  .openapi('Reachability');
