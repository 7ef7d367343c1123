/** The word that wakes the pages of everybody who looks. */
import type { LiveEvent } from '../gateways/cache/cache.ts';
import type { Dependencies } from './dependencies.ts';

export function liveEvent(
  { config, now }: Pick<Dependencies, 'config' | 'now'>,
  topic: LiveEvent['topic'],
): LiveEvent {
  return { siteName: config.site, topic, atMs: now() };
}
