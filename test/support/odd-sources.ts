/** Backends whose doveadm answers nonsense: each oddity as it was recorded of a real server, or worse. */
import {
  COMMAND_LISTS,
  errorAnswer,
  httpAnswer,
  okAnswer,
  type DoveadmCall,
  type Reply,
} from './raw-doveadm.ts';

export interface Oddity {
  /** Code in log and row; null: nothing is wrong enough to say. */
  readonly code: string | null;
  /** False: its own doveadm moved the users in the end. */
  readonly isForced: boolean;
  /** The command list is as odd: then its users are forced without being asked for. */
  readonly isSilent?: boolean;
  /** Null: nobody listens. */
  readonly answer: ((call: DoveadmCall, move: Move) => Promise<Reply> | Reply) | null;
}

/** Moves users as the source is told, or only some of them. */
export type Move = (parameters: DoveadmCall['parameters']) => Promise<void>;

const BATCH_MOVE = 'clusterUserBatchMove';
const TEXT = 'text/plain; charset=utf-8';

/** The list is fine, every command is answered like this. */
function refusing(code: string | null, reply: Reply | ((call: DoveadmCall) => Reply)): Oddity {
  return {
    code,
    isForced: true,
    answer: (call) => {
      if (call.method === 'GET') return COMMAND_LISTS.whole;
      return typeof reply === 'function' ? reply(call) : reply;
    },
  };
}

function silent(code: string, reply: Reply): Oddity {
  return { code, isForced: true, isSilent: true, answer: () => reply };
}

/** By the name of the Backend. */
export const ODD_SOURCES: Readonly<Record<string, Oddity>> = {
  'half-an-answer': refusing(
    'BadAnswer',
    httpAnswer('200 OK', '[["doveadmResponse",[{"username":"u1"'),
  ),
  'missing-comma': refusing(
    'BadAnswer',
    httpAnswer('200 OK', '[["doveadmResponse",[],"a"]["error",{"type":"unknownMethod"},"t1"]]'),
  ),
  'another-tag': refusing('BadAnswer', okAnswer('somebody-else')),
  'no-http': refusing('BadAnswer', 'VERSION\tstats-reader-server\t2\t0\n'),
  'no-response': refusing('BadAnswer', 'close'),
  reset: refusing('BadAnswer', 'reset'),
  'status-400': refusing(
    'InvalidArgument',
    httpAnswer('400 Bad Request', "JSON parse error: Missing '}'\r\n", TEXT),
  ),
  'status-401': refusing('Unauthorized', httpAnswer('401 Authentication required', '')),
  'status-404': refusing('NotFound', httpAnswer('404 Path Not Found', 'Path Not Found\r\n', TEXT)),
  'temporary-failure': refusing('Refused', ({ tag }) => errorAnswer(tag, 'exitCode', 75)),
  'usage-error': refusing('InvalidArgument', ({ tag }) => errorAnswer(tag, 'exitCode', 64)),
  'unknown-method': refusing('UnknownCommand', ({ tag }) => errorAnswer(tag, 'unknownMethod', 0)),
  'no-effect': refusing(null, ({ tag }) => okAnswer(tag)),
  hanging: refusing('Timeout', 'silence'),
  'plain-dovecot': {
    code: 'UnknownCommand',
    isForced: true,
    answer: ({ method, tag }) =>
      method === 'GET' ? COMMAND_LISTS.plain : errorAnswer(tag, 'unknownMethod', 0),
  },
  'list-401': silent('Unauthorized', httpAnswer('401 Authentication required', '')),
  'list-nonsense': silent('BadAnswer', httpAnswer('200 OK', '[{"command":"who","parame')),
  'list-hanging': silent('Timeout', 'silence'),
  'nobody-listens': { ...silent('Unreachable', 'close'), answer: null },
  'takes-no-list': {
    code: null,
    isForced: false,
    answer: async ({ method, command, parameters, tag }, move) => {
      if (method === 'GET') return COMMAND_LISTS.counting;
      // On a slow machine it is forced in the end, which asks it who is there: nobody.
      if (command !== BATCH_MOVE) return okAnswer(tag);
      await move(parameters);
      return okAnswer(tag);
    },
  },
  'dies-half-way': {
    code: 'BadAnswer',
    isForced: false,
    answer: async ({ method, command, parameters, tag }, move) => {
      if (method === 'GET') return COMMAND_LISTS.whole;
      if (command !== BATCH_MOVE) return okAnswer(tag);
      const users = (parameters['user'] ?? []) as string[];
      await move({ ...parameters, user: users.slice(0, Math.ceil(users.length / 2)) });
      return 'reset';
    },
  },
};
