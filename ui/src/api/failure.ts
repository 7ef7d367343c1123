/** What went wrong with a request, in words an operator can use. */
import type { Problem } from './model.ts';

export class ApiFailure extends Error {
  /** HTTP status; 0: no answer at all. */
  readonly status: number;
  /** Stable code of the problem; `NoAnswer` where none came. */
  readonly code: string;
  readonly requestId: string | null;
  readonly details: readonly { readonly field: string; readonly message: string }[];
  readonly operationId: string | null;
  /** A change that was sent without an answer may have happened. */
  readonly mayHaveHappened: boolean;

  constructor(
    message: string,
    facts: {
      readonly status: number;
      readonly problem?: Problem;
      readonly isChange: boolean;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: facts.cause });
    this.name = 'ApiFailure';
    this.status = facts.status;
    this.code = facts.problem?.code ?? 'NoAnswer';
    this.requestId = facts.problem?.requestId ?? null;
    this.details = facts.problem?.details ?? [];
    this.operationId = facts.problem?.operationId ?? null;
    this.mayHaveHappened = facts.isChange && (facts.status === 0 || facts.status >= 500);
  }
}

/** An answer that is a problem document, or is not even that. */
export function failureOf(status: number, body: unknown, isChange: boolean): ApiFailure {
  if (isProblem(body)) {
    return new ApiFailure(sentence(body.message), { status, problem: body, isChange });
  }
  return new ApiFailure(`The server answered ${status}.`, { status, isChange });
}

/** Nobody answered. */
export function noAnswer(cause: unknown, isChange: boolean): ApiFailure {
  return new ApiFailure('Dovekeeper does not answer.', { status: 0, isChange, cause });
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'message' in body;
}

function sentence(text: string): string {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}
