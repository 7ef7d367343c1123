/**
 * Waits until all have ended, then throws what failed first. Something that goes on alone would write
 * into the books of the next operation.
 */
export async function allEnded(works: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(works);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
