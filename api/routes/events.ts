/** Live updates: server-sent events that say what changed, never the data itself. */
import { createRoute, z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import { isStillValid } from '../auth.ts';
import { ApiError } from '../errors.ts';
import type { LiveListener, LiveMessage as Message } from '../live-hub.ts';
import { identityOf } from '../router.ts';
import { access, createRouter, problems } from '../router.ts';

export const eventRoutes = createRouter();

/** A session that was ended elsewhere ends its streams too. */
const SESSION_CHECK_MS = 30_000;
/** A client that is so far behind is asked to come back. */
const MAX_WAITING = 200;

const LiveMessage = z
  .object({
    topic: z.enum(['metrics', 'operations', 'decisions', 'features', 'automation', 'refresh']),
    atMs: z.int(),
  })
  .openapi('LiveMessage');

const streamEvents = createRoute({
  operationId: 'streamEvents',
  tags: ['events'],
  summary: 'Server-sent events',
  description:
    'Event `change` carries a LiveMessage: fetch what its topic names. Topic `refresh` comes ' +
    'every 5 s while the live fan-out is silent: fetch everything shown. Event `heartbeat` comes every ' +
    '5 s and carries {atMs, isLive}.',
  method: 'get',
  path: '/events',
  ...access({ role: 'viewer' }),
  responses: {
    200: { description: 'A stream', content: { 'text/event-stream': { schema: LiveMessage } } },
    ...problems(),
  },
});

eventRoutes.openapi(streamEvents, (c) => {
  const { live, dependencies } = c.get('api');
  const identity = identityOf(c);
  const queue = createQueue();
  if (!live.add(queue)) {
    throw new ApiError('TooManyStreams', 'too many pages are open: close some');
  }
  // Proxies in front must not gather events.
  c.header('X-Accel-Buffering', 'no');
  return streamSSE(c, async (stream) => {
    stream.onAbort(queue.end);
    const check = setInterval(() => {
      isStillValid(identity, { ...dependencies, publicUrl: '' }).then(
        (isValid) => {
          if (!isValid) queue.end();
        },
        // A store that is down for a while ends no stream.
        () => undefined,
      );
    }, SESSION_CHECK_MS);
    try {
      for await (const message of queue.messages()) await stream.writeSSE(message);
    } finally {
      clearInterval(check);
      live.remove(queue);
    }
  });
});

interface Queue extends LiveListener {
  /** Ends with `end`, or when the client takes nothing for long. */
  messages(): AsyncGenerator<Message>;
}

function createQueue(): Queue {
  const waiting: Message[] = [];
  let isEnded = false;
  let wake: () => void = () => undefined;
  const end = (): void => {
    isEnded = true;
    wake();
  };
  return {
    end,
    send: (message) => {
      waiting.push(message);
      if (waiting.length > MAX_WAITING) end();
      wake();
    },
    async *messages() {
      while (!isEnded) {
        const message = waiting.shift();
        if (message !== undefined) {
          yield message;
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
