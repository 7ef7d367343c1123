/** Sign-in links, sessions, bearer tokens and idempotency keys. Secrets are stored as SHA-256 hashes only. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface SignInLink {
  readonly secretHash: string;
  readonly role: Role;
  readonly createdBy: string;
  readonly expiresAtMs: number;
}

export interface Session {
  readonly secretHash: string;
  readonly role: Role;
  readonly name: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export interface ApiToken {
  readonly tokenId: string;
  readonly secretHash: string;
  readonly name: string;
  readonly role: Role;
  readonly createdBy: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
}

/** The stored answer of a request with an Idempotency-Key. */
export interface StoredAnswer {
  readonly requestHash: string;
  readonly status: number;
  readonly body: string;
}

/** Every method throws GatewayError{system: 'cassandra'}. */
export interface Accounts {
  saveSignInLink(link: SignInLink): Promise<void>;
  /** Works once: conditional delete. null: unknown, used or expired. */
  useSignInLink(secretHash: string): Promise<SignInLink | null>;
  saveSession(session: Session): Promise<void>;
  readSession(secretHash: string): Promise<Session | null>;
  removeSession(secretHash: string): Promise<void>;
  saveToken(token: ApiToken): Promise<void>;
  readTokenByHash(secretHash: string): Promise<ApiToken | null>;
  listTokens(): Promise<ApiToken[]>;
  removeToken(tokenId: string): Promise<boolean>;
  /** First writer wins; answers the stored one where there is one. `body` null: still in progress. */
  beginIdempotent(
    actor: string,
    key: string,
    requestHash: string,
  ): Promise<StoredAnswer | 'begun' | 'inProgress'>;
  finishIdempotent(actor: string, key: string, answer: StoredAnswer): Promise<void>;
}
