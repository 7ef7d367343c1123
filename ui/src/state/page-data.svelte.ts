/** What one page reads while it is open: at once, when the stream says so, and every few seconds. */
import { onMount } from 'svelte';
import { live, type Topic } from './live.svelte.ts';
import { createPoller, type Poller } from './poller.svelte.ts';

/** Call while a component is being set up. */
export function pageData<T>(
  load: (signal: AbortSignal) => Promise<T>,
  options: { readonly topics: readonly Topic[]; readonly intervalMs?: number },
): Poller<T> {
  const poller = createPoller<T>({ load, intervalMs: options.intervalMs ?? 5000 });
  onMount(() => {
    const end = live.onChange(options.topics, () => void poller.refresh());
    poller.start();
    return () => {
      end();
      poller.stop();
    };
  });
  return poller;
}
