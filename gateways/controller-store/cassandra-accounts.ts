/** Sign-in links, sessions, tokens and idempotency keys in our keyspace. */
import type { CassandraSession, Row, Statement } from '../cassandra-session.ts';
import { numberOf, requiredText, textOf, toBigint } from '../cassandra-values.ts';
import type { Accounts, ApiToken, Role, Session, SignInLink, StoredAnswer } from './accounts.ts';

/** An answer is kept for a day; a request that never ended blocks its key for two minutes. */
const ANSWER_KEPT_SECS = 86_400;
const IN_PROGRESS_SECS = 120;

export function createAccounts(session: CassandraSession, keyspace: string): Accounts {
  const statements = accountStatements(keyspace);
  return {
    ...signInMethods(session, statements),
    ...tokenMethods(session, statements),
    ...idempotencyMethods(session, statements),
  };
}

type Statements = ReturnType<typeof accountStatements>;
type SignInMethods = Pick<
  Accounts,
  'saveSignInLink' | 'useSignInLink' | 'saveSession' | 'readSession' | 'removeSession'
>;

function signInMethods(session: CassandraSession, statements: Statements): SignInMethods {
  return {
    saveSignInLink: async (link) => {
      const { secretHash, role, createdBy, expiresAtMs } = link;
      const params = [secretHash, role, createdBy, toBigint(expiresAtMs), secsUntil(expiresAtMs)];
      // Conditional like its use: both then take their timestamps from the same clock.
      await session.writeIf('saveSignInLink', statements.saveSignInLink, params);
    },
    useSignInLink: async (secretHash) => {
      const row = await session.readOne('useSignInLink', statements.readSignInLink, [secretHash]);
      if (row === null) return null;
      const { applied } = await session.writeIf('useSignInLink', statements.useSignInLink, [
        secretHash,
      ]);
      const link = toSignInLink(row);
      return applied && link.expiresAtMs > Date.now() ? link : null;
    },
    saveSession: async ({ secretHash, role, name, createdAtMs, expiresAtMs }) => {
      const times = [toBigint(createdAtMs), toBigint(expiresAtMs), secsUntil(expiresAtMs)];
      const params = [secretHash, role, name, ...times];
      await session.write('saveSession', statements.saveSession, params);
    },
    readSession: async (secretHash) => {
      const row = await session.readOne('readSession', statements.readSession, [secretHash]);
      const found = row === null ? null : toSession(row);
      return found !== null && found.expiresAtMs > Date.now() ? found : null;
    },
    removeSession: async (secretHash) => {
      await session.write('removeSession', statements.removeSession, [secretHash]);
    },
  };
}

type TokenMethods = Pick<Accounts, 'saveToken' | 'readTokenByHash' | 'listTokens' | 'removeToken'>;

function tokenMethods(session: CassandraSession, statements: Statements): TokenMethods {
  const readToken = async (tokenId: string): Promise<ApiToken | null> => {
    const row = await session.readOne('readToken', statements.readToken, [tokenId]);
    return row === null ? null : toToken(row);
  };
  return {
    saveToken: (token) =>
      session.batch(
        'saveToken',
        [
          {
            statement: statements.saveToken,
            params: [token.tokenId, token.secretHash, JSON.stringify(token)],
          },
          {
            statement: statements.saveTokenByHash,
            params: [token.secretHash, token.tokenId],
          },
        ],
        { isLogged: true },
      ),
    readTokenByHash: async (secretHash) => {
      const pointer = await session.readOne('readTokenByHash', statements.readTokenByHash, [
        secretHash,
      ]);
      const token = pointer === null ? null : await readToken(requiredText(pointer, 'token_id'));
      if (token?.secretHash !== secretHash) return null;
      return token.expiresAtMs === null || token.expiresAtMs > Date.now() ? token : null;
    },
    listTokens: async () => {
      const rows = await session.read('listTokens', statements.listTokens, []);
      return rows.map(toToken).sort((a, b) => a.createdAtMs - b.createdAtMs);
    },
    removeToken: async (tokenId) => {
      const token = await readToken(tokenId);
      if (token === null) return false;
      const removals = [
        { statement: statements.removeToken, params: [tokenId] },
        { statement: statements.removeTokenByHash, params: [token.secretHash] },
      ];
      await session.batch('removeToken', removals, { isLogged: true });
      return true;
    },
  };
}

type IdempotencyMethods = Pick<Accounts, 'beginIdempotent' | 'finishIdempotent'>;

function idempotencyMethods(session: CassandraSession, statements: Statements): IdempotencyMethods {
  return {
    beginIdempotent: async (actor, key, requestHash) => {
      const params = [actor, key, requestHash];
      const { applied, row } = await session.writeIf('beginIdempotent', statements.begin, params);
      if (applied || row === null) return 'begun';
      return toAnswer(row) ?? 'inProgress';
    },
    finishIdempotent: async (actor, key, { requestHash, status, body }) => {
      const params = [requestHash, status, body, actor, key];
      await session.writeIf('finishIdempotent', statements.finish, params);
    },
  };
}

function toAnswer(row: Row): StoredAnswer | null {
  const body = textOf(row, 'body');
  if (body === null) return null;
  const requestHash = requiredText(row, 'request_hash');
  return { requestHash, status: numberOf(row, 'status') ?? 0, body };
}

function toSignInLink(row: Row): SignInLink {
  return {
    secretHash: requiredText(row, 'secret_hash'),
    role: requiredText(row, 'role') as Role,
    createdBy: requiredText(row, 'created_by'),
    expiresAtMs: numberOf(row, 'expires_at_ms') ?? 0,
  };
}

function toSession(row: Row): Session {
  return {
    secretHash: requiredText(row, 'secret_hash'),
    role: requiredText(row, 'role') as Role,
    name: requiredText(row, 'name'),
    createdAtMs: numberOf(row, 'created_at_ms') ?? 0,
    expiresAtMs: numberOf(row, 'expires_at_ms') ?? 0,
  };
}

function toToken(row: Row): ApiToken {
  return JSON.parse(requiredText(row, 'body')) as ApiToken;
}

/** Cassandra takes no life of 0 seconds as "at once": it would mean for ever. */
function secsUntil(expiresAtMs: number): number {
  return Math.max(1, Math.ceil((expiresAtMs - Date.now()) / 1000));
}

function accountStatements(keyspace: string) {
  const on = (table: string, cql: string): Statement => ({
    keyspace,
    table,
    cql: cql.replaceAll('{ks}', keyspace),
  });
  return {
    saveSignInLink: on(
      'sign_in_links',
      `INSERT INTO {ks}.sign_in_links (secret_hash, role, created_by, expires_at_ms)
         VALUES (?, ?, ?, ?) IF NOT EXISTS USING TTL ?`,
    ),
    readSignInLink: on('sign_in_links', `SELECT * FROM {ks}.sign_in_links WHERE secret_hash = ?`),
    useSignInLink: on(
      'sign_in_links',
      `DELETE FROM {ks}.sign_in_links WHERE secret_hash = ? IF EXISTS`,
    ),
    saveSession: on(
      'sessions',
      `INSERT INTO {ks}.sessions (secret_hash, role, name, created_at_ms, expires_at_ms)
         VALUES (?, ?, ?, ?, ?) USING TTL ?`,
    ),
    readSession: on('sessions', `SELECT * FROM {ks}.sessions WHERE secret_hash = ?`),
    removeSession: on('sessions', `DELETE FROM {ks}.sessions WHERE secret_hash = ?`),
    saveToken: on(
      'tokens',
      `INSERT INTO {ks}.tokens (token_id, secret_hash, body) VALUES (?, ?, ?)`,
    ),
    saveTokenByHash: on(
      'tokens_by_hash',
      `INSERT INTO {ks}.tokens_by_hash (secret_hash, token_id) VALUES (?, ?)`,
    ),
    readToken: on('tokens', `SELECT body FROM {ks}.tokens WHERE token_id = ?`),
    readTokenByHash: on(
      'tokens_by_hash',
      `SELECT token_id FROM {ks}.tokens_by_hash WHERE secret_hash = ?`,
    ),
    listTokens: on('tokens', `SELECT body FROM {ks}.tokens`),
    removeToken: on('tokens', `DELETE FROM {ks}.tokens WHERE token_id = ?`),
    removeTokenByHash: on(
      'tokens_by_hash',
      `DELETE FROM {ks}.tokens_by_hash WHERE secret_hash = ?`,
    ),
    begin: on(
      'idempotency_keys',
      `INSERT INTO {ks}.idempotency_keys (actor, key, request_hash) VALUES (?, ?, ?)
         IF NOT EXISTS USING TTL ${IN_PROGRESS_SECS}`,
    ),
    finish: on(
      'idempotency_keys',
      `UPDATE {ks}.idempotency_keys USING TTL ${ANSWER_KEPT_SECS}
         SET request_hash = ?, status = ?, body = ? WHERE actor = ? AND key = ? IF EXISTS`,
    ),
  };
}
