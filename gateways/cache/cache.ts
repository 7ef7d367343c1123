/** Redis: cache only. Whoever cannot reach it is slower, never wrong. */
import type { SiteMetrics } from '../../workflows/domain/metrics.ts';

/** What wakes the UI: a few words, never the data itself. */
export interface LiveEvent {
  readonly siteName: string;
  readonly topic: 'metrics' | 'operations' | 'decisions' | 'features' | 'automation';
  readonly atMs: number;
}

/** Reads and writes never throw: false or null where Redis is silent. */
export interface Cache {
  saveMetrics(siteName: string, metrics: SiteMetrics): Promise<boolean>;
  readMetrics(siteName: string): Promise<SiteMetrics | null>;
  publish(event: LiveEvent): Promise<boolean>;
  /** Answers a function that ends the subscription. */
  subscribe(siteName: string, onEvent: (event: LiveEvent) => void): Promise<() => Promise<void>>;
  /** Throws GatewayError{system: 'redis'}. */
  ping(): Promise<void>;
}
