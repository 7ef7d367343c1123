/**
 * Waits until all have ended, then throws what failed first. Something that goes on alone would write
 * into the books of the next operation.
 */
export async function allEnded<T extends readonly unknown[]>(
  works: T,
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  await Promise.allSettled(works);
  return Promise.all(works);
}
