/** Why an action failed, as far as trying again is concerned. `permanent` is never tried again. */
export type RetryClass = 'transient' | 'timeout' | 'rate_limited' | 'unavailable' | 'permanent';

export const RETRY_CLASSES: readonly RetryClass[] = [
  'transient',
  'timeout',
  'rate_limited',
  'unavailable',
  'permanent',
];

/** An error an action may fail with. Its code is the key it is declared under, and never changes. */
export interface ErrorDeclaration {
  /** One sentence for whoever handles it. */
  readonly meaning: string;
  readonly retry: RetryClass;
}

export type ErrorTable<Code extends string = string> = Readonly<Record<Code, ErrorDeclaration>>;

/** What differs from one failure to the next. It is shown to the caller: put no secret into it. */
export interface Failure {
  /** Stands in place of the declared meaning. */
  readonly message?: string;
  /** Milliseconds the target asked to be left alone. */
  readonly retryAfter?: number;
  /** JSON a program can use: a status, the target's own error. */
  readonly details?: unknown;
}

/** The action failed, with a code it declares. Made by `ctx.fail`. */
export class ActionError extends Error {
  readonly code: string;
  readonly failure: Failure;

  constructor(code: string, failure: Failure = {}) {
    super(failure.message ?? code);
    this.name = 'ActionError';
    this.code = code;
    this.failure = failure;
  }
}

/** It may have happened, and nobody knows. Made by `ctx.unknown`. */
export class UnknownOutcome extends Error {
  readonly failure: Failure;

  constructor(failure: Failure = {}) {
    super(failure.message ?? 'Whether it happened is not known.');
    this.name = 'UnknownOutcome';
    this.failure = failure;
  }
}

/** The attempt is done, and the call goes on when one of its callbacks is used. Made by `ctx.wait`. */
export class Waiting extends Error {
  /** Milliseconds after which the call expires. */
  readonly forAtMost: number;

  constructor(forAtMost: number) {
    super('The call waits for a callback.');
    this.name = 'Waiting';
    this.forAtMost = forAtMost;
  }
}

/**
 * The way to the target failed: no connection, no answer, one that cannot be read, or an address the hub does not let
 * through. Thrown by `ctx.http`, `ctx.connect`, `ctx.secure` and `ctx.sleep`. An action that does not catch it fails with
 * `code`, or, when something may have been changed, has an unknown outcome.
 */
export class TransportError extends Error {
  readonly code: string;
  readonly retry: RetryClass;
  /** Whether the target may have received the request. */
  readonly maySent: boolean;

  constructor(
    code: string,
    about: { message: string; retry: RetryClass; maySent: boolean; cause?: unknown },
  ) {
    super(about.message, about.cause === undefined ? {} : { cause: about.cause });
    this.name = 'TransportError';
    this.code = code;
    this.retry = about.retry;
    this.maySent = about.maySent;
  }
}
