/** Who is signed in. A sign-in link carries its secret in the fragment, which is removed at once. */
import { api, onSignedOut } from '../api/client.ts';
import { ApiFailure } from '../api/failure.ts';
import type { Session } from '../api/model.ts';
import { router } from './router.svelte.ts';
import { secretOf } from './sign-in-secret.ts';

/** Where sign-in links lead; not a page of its own. */
const SIGN_IN_PATH = '/sign-in';

export type SessionState = 'asking' | 'signedOut' | 'signedIn';

let state = $state<SessionState>('asking');
let current = $state.raw<Session | null>(null);
let error = $state.raw<Error | null>(null);

export const session = {
  get state(): SessionState {
    return state;
  },
  get current(): Session | null {
    return current;
  },
  get error(): Error | null {
    return error;
  },
  /** Viewers read; operators and admins change. */
  get mayOperate(): boolean {
    return current !== null && current.role !== 'viewer';
  },
  async start(): Promise<void> {
    onSignedOut(() => {
      if (state === 'signedIn') end();
    });
    const secret = takeSecret();
    if (secret !== null) await session.signIn(secret);
    else await resume();
  },
  async signIn(secret: string): Promise<void> {
    try {
      begin(await api.signIn(secret));
    } catch (cause) {
      refuse(cause);
    }
  },
  async signOut(): Promise<void> {
    await api.signOut();
    end();
  },
};

async function resume(): Promise<void> {
  try {
    begin(await api.readSession());
  } catch (cause) {
    refuse(cause);
  }
}

function begin(value: Session): void {
  current = value;
  error = null;
  state = 'signedIn';
}

function refuse(cause: unknown): void {
  current = null;
  state = 'signedOut';
  const isPlain = cause instanceof ApiFailure && cause.code === 'Unauthenticated';
  error = isPlain ? null : cause instanceof Error ? cause : new Error(String(cause));
}

function end(): void {
  current = null;
  error = null;
  state = 'signedOut';
}

/** The secret of the address bar, which forgets it before anything else happens. */
function takeSecret(): string | null {
  const secret = secretOf(location.hash);
  if (secret === null) return null;
  const page = location.pathname === SIGN_IN_PATH ? '/' : location.pathname + location.search;
  router.go(page, { replace: true });
  return secret;
}
