/** The event stream: it says what changed, pollers fetch it. Without it they poll, and the page says so. */
import { EVENTS_PATH } from '../api/client.ts';
import { clock } from './clock.svelte.ts';

export type Topic = 'metrics' | 'operations' | 'decisions' | 'features' | 'automation' | 'refresh';

export type LiveState = 'connecting' | 'live' | 'polling' | 'lost';

/** The server beats every 5 s; after so much silence the stream counts as lost, in milliseconds. */
const SILENCE_MS = 15_000;
const RECONNECT_MS = 3000;
const BURST_MS = 1000;
const SETTLE_MS = 50;

interface Listener {
  readonly topics: readonly Topic[];
  readonly run: () => void;
}

let source: EventSource | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let lastBeatMs = $state<number | null>(null);
let startedAtMs = $state(0);
let isFanOutLive = $state(true);
let isOpen = $state(false);
let listeners: readonly Listener[] = [];

export const live = {
  get state(): LiveState {
    if (lastBeatMs === null) {
      return clock.nowMs - startedAtMs < RECONNECT_MS ? 'connecting' : 'lost';
    }
    if (!isOpen || clock.nowMs - lastBeatMs > SILENCE_MS) return 'lost';
    return isFanOutLive ? 'live' : 'polling';
  },
  get lastBeatMs(): number | null {
    return lastBeatMs;
  },
  /**
   * Runs when one of the topics changed, and on every `refresh`; returns the end of it.
   * Changes come in bursts: one run a second is enough for all of them.
   */
  onChange(topics: readonly Topic[], run: () => void): () => void {
    let waiting: ReturnType<typeof setTimeout> | undefined;
    let ranAtMs = 0;
    const runOnce = () => {
      waiting = undefined;
      ranAtMs = Date.now();
      run();
    };
    const listener: Listener = {
      topics,
      run: () => {
        waiting ??= setTimeout(runOnce, Math.max(SETTLE_MS, ranAtMs + BURST_MS - Date.now()));
      },
    };
    listeners = [...listeners, listener];
    return () => {
      clearTimeout(waiting);
      listeners = listeners.filter((each) => each !== listener);
    };
  },
  start(): () => void {
    startedAtMs = Date.now();
    connect();
    return () => {
      clearTimeout(timer);
      source?.close();
      source = null;
      isOpen = false;
    };
  },
};

function connect(): void {
  source?.close();
  source = new EventSource(EVENTS_PATH);
  source.addEventListener('open', beat);
  source.addEventListener('heartbeat', (event) => {
    beat();
    isFanOutLive = readFlag(event, 'isLive') ?? true;
  });
  source.addEventListener('change', (event) => {
    beat();
    tell(readTopic(event));
  });
  source.addEventListener('error', () => {
    isOpen = false;
    if (source?.readyState !== EventSource.CLOSED) return;
    clearTimeout(timer);
    timer = setTimeout(connect, RECONNECT_MS);
  });
}

function beat(): void {
  isOpen = true;
  lastBeatMs = Date.now();
}

function tell(topic: Topic): void {
  for (const { topics, run } of listeners) {
    if (topic === 'refresh' || topics.includes(topic)) run();
  }
}

function readTopic(event: MessageEvent): Topic {
  const topic = parse(event)['topic'];
  return typeof topic === 'string' ? (topic as Topic) : 'refresh';
}

function readFlag(event: MessageEvent, name: string): boolean | null {
  const value = parse(event)[name];
  return typeof value === 'boolean' ? value : null;
}

function parse(event: MessageEvent): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(String(event.data));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
