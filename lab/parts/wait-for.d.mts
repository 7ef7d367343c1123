import type { Probe } from './part-spec.mjs';

/** Whether it answers (http: with a 2xx) now. */
export function probe(probe: Probe): Promise<boolean>;
/** One GET without any agent or cache; null: nobody answers. */
export function getHttp(
  url: string,
  options?: { readonly method?: string; readonly timeoutMs?: number },
): Promise<{ status: number; body: string } | null>;
/** Asks again and again; false: not within the deadline, or aborted. */
export function waitUntil(
  ask: () => boolean | Promise<boolean>,
  options: { readonly deadlineMs: number; readonly signal?: AbortSignal; readonly pollMs?: number },
): Promise<boolean>;
export function isPortFree(address: string, port: number): Promise<boolean>;
