/** States a thing that can only be false by a programmer's mistake; it fails the workflow task, never the execution. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
