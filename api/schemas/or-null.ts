import { z } from '@hono/zod-openapi';

/** A named schema or null: `.nullable()` would make the named schema itself nullable everywhere. */
export function orNull<T extends z.ZodType>(schema: T): z.ZodUnion<[T, z.ZodNull]> {
  return z.union([schema, z.null()]);
}
