/** Wait before the next read after so many failures in a row: doubles up to the longest. */
export function waitAfter(failures: number, intervalMs: number, maxIntervalMs: number): number {
  if (failures === 0) return intervalMs;
  return Math.min(maxIntervalMs, Math.max(1000, intervalMs) * 2 ** (failures - 1));
}
