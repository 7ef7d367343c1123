/** A broken file, a run without tests and a bad exit count as failures. */
export function readTotals(
  reportFile: string,
  exitCode: number,
): { passed: number; failed: number };
