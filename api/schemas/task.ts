/** Tasks, audit, health of the dependencies. */
import { z } from '@hono/zod-openapi';
import { TaskNameField } from './decision.ts';

export const TaskView = z
  .object({
    task: TaskNameField,
    intervalSecs: z.number().nullable().openapi({ description: 'null: not by the clock.' }),
    lastStartedAtMs: z.int().nullable(),
    lastSucceededAtMs: z.int().nullable(),
    lastSuccessAgeSecs: z.number().nullable(),
    lastDurationMs: z.number().nullable(),
    lastError: z.string().nullable(),
    lastErrorAtMs: z.int().nullable(),
    failingSinceMs: z.int().nullable().openapi({
      description: 'First failed run since the last success; null: the last succeeded.',
    }),
    outcomes: z.record(z.string(), z.number()),
    isPaused: z.boolean().nullable().openapi({ description: 'null: Temporal does not answer.' }),
    pausedNote: z.string().nullable(),
    nextRunAtMs: z.int().nullable(),
    isOverdue: z
      .boolean()
      .openapi({ description: 'No success for three intervals, also where it never ran.' }),
  })
  .openapi('Task');
export type TaskView = z.infer<typeof TaskView>;

export const TaskList = z
  .object({
    siteName: z.string(),
    isTemporalAnswering: z.boolean(),
    tasks: z.array(TaskView).readonly(),
  })
  .openapi('TaskList');

export const AuditEntryView = z
  .object({
    siteName: z.string(),
    atMs: z.int(),
    actor: z.string(),
    action: z.string(),
    target: z.string(),
    outcome: z.enum(['done', 'refused', 'failed']),
    reason: z.string().nullable(),
    detail: z.string().nullable(),
    requestId: z.string().nullable(),
  })
  .openapi('AuditEntry');

export const AuditPage = z
  .object({
    entries: z.array(AuditEntryView).readonly(),
    nextBeforeMs: z.int().nullable().openapi({ description: 'null: no more.' }),
  })
  .openapi('AuditPage');

const DependencyView = z
  .object({ ok: z.boolean(), error: z.string().optional() })
  .openapi('Dependency');

export const DependenciesView = z
  .object({
    cassandra: DependencyView,
    temporal: DependencyView,
    redis: DependencyView,
    prometheus: DependencyView,
  })
  .openapi('Dependencies');
export type DependenciesView = z.infer<typeof DependenciesView>;

export const ReadyView = z
  .object({
    ready: z.boolean(),
    dependencies: DependenciesView,
    waitingFor: z
      .array(z.string())
      .readonly()
      .optional()
      .openapi({ description: 'Backends that have not been judged since the start.' }),
  })
  .openapi('Ready');
