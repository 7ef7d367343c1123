/** How every error looks, and the parts that many answers share. */
import { z } from '@hono/zod-openapi';

export const Problem = z
  .object({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    code: z.string().openapi({ example: 'BackendUnknown', description: 'Stable; branch on it.' }),
    message: z.string().openapi({ description: 'What happened and what to do, for people.' }),
    requestId: z.string(),
    details: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .readonly()
      .optional()
      .openapi({ description: 'Which fields or settings are wrong.' }),
    system: z
      .string()
      .optional()
      .openapi({ description: 'The neighbour that does not work: cassandra, temporal, ...' }),
    operationId: z
      .string()
      .optional()
      .openapi({ description: 'The operation that is in the way.' }),
    state: z.string().optional().openapi({ description: 'The state that forbids the request.' }),
  })
  .openapi('Problem');
export type Problem = z.infer<typeof Problem>;

/** Who wants it and why; kept in the audit. */
export const reasonField = z
  .string()
  .trim()
  .min(1, 'a reason is required')
  .max(500)
  .openapi({ description: 'Why; kept in the audit.', example: 'disk replacement' });

export const ReasonBody = z.object({ reason: reasonField }).openapi('ReasonBody');

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z
    .string()
    .min(1)
    .max(4000)
    .optional()
    .openapi({ description: 'Opaque; from the answer before. Absent: from the start.' }),
};

export const nextCursor = z.string().nullable().openapi({ description: 'null: no more.' });

/** A moment in a request: ISO 8601 with an offset, or milliseconds since 1970. */
export const momentField = z
  .union([z.iso.datetime({ offset: true }), z.int().positive()])
  .openapi({ description: 'ISO 8601 with offset, or milliseconds since 1970.' });

export function momentToMs(moment: string | number): number {
  return typeof moment === 'number' ? moment : Date.parse(moment);
}
