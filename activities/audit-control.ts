/** What signals did to an operation, written down by the workflow that obeyed them. */
import type { AuditEntry } from '../gateways/controller-store/controller-store.ts';
import type { ActivityContext } from './context.ts';
import { isRepeat } from './heartbeat.ts';
import { assertOwnsSite } from './site-owner.ts';

/** A repeat follows within seconds: few entries can have come in between. */
const LOOKED_BACK = 100;

export interface AuditControlInput {
  readonly actor: string;
  /** `operation.pause`, `operation.resume`, `operation.cancel` ... */
  readonly action: string;
  readonly operationId: string;
  readonly sourceHost: string;
  readonly reason: string;
  readonly atMs: number;
  readonly epoch?: number | null;
}

export interface AuditControlActivities {
  auditControl(input: AuditControlInput): Promise<void>;
}

export function createAuditControl(context: ActivityContext): AuditControlActivities {
  return {
    async auditControl(input) {
      await assertOwnsSite(context, input);
      const entry: AuditEntry = {
        siteName: context.config.site,
        atMs: input.atMs,
        actor: input.actor,
        action: input.action,
        target: input.operationId,
        outcome: 'done',
        reason: input.reason,
        detail: input.sourceHost,
        requestId: null,
      };
      if (isRepeat() && (await isAudited(context, entry))) return;
      await context.store.appendAudit(entry);
    },
  };
}

/** An earlier try may have written the entry and died before it could say so. */
async function isAudited(context: ActivityContext, entry: AuditEntry): Promise<boolean> {
  const options = { limit: LOOKED_BACK, beforeMs: entry.atMs + 1 };
  const former = await context.store.readAudit(entry.siteName, options);
  return former.some(
    ({ atMs, action, target }) =>
      atMs === entry.atMs && action === entry.action && target === entry.target,
  );
}
