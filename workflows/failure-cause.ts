/** The innermost message of a failure: what went wrong, without Temporal's wrapping. */
export function causeOf(failure: unknown): string {
  let inner = failure;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner instanceof Error ? inner.message : String(inner);
}
