/** What signals did to an operation, written down by the workflow that obeyed them. */
import type { ActivityContext } from './context.ts';

export interface AuditControlInput {
  readonly actor: string;
  /** `operation.pause`, `operation.resume`, `operation.cancel` ... */
  readonly action: string;
  readonly operationId: string;
  readonly sourceHost: string;
  readonly reason: string;
  readonly atMs: number;
}

export interface AuditControlActivities {
  auditControl(input: AuditControlInput): Promise<void>;
}

export function createAuditControl(context: ActivityContext): AuditControlActivities {
  return {
    auditControl: (input) =>
      context.store.appendAudit({
        siteName: context.config.site,
        atMs: input.atMs,
        actor: input.actor,
        action: input.action,
        target: input.operationId,
        outcome: 'done',
        reason: input.reason,
        detail: input.sourceHost,
        requestId: null,
      }),
  };
}
