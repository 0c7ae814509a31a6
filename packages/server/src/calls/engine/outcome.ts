import type { OwnedCall } from './call.ts';
import type { PolicyOverride, RetryClass } from './policy.ts';

/** What an attempt failed with, as callers see it. Redacted before it gets here. */
export interface CallError {
  /** Stable; one the action declares, or one of the hub's own. */
  readonly code: string;
  readonly message: string;
  readonly retry: RetryClass;
  /** Milliseconds the target asked to be left alone. */
  readonly retryAfter?: number;
  /** JSON a program can use: a status, the target's own error. */
  readonly details?: unknown;
}

/** How an attempt ended. */
export type Outcome =
  /** `output` is JSON text. */
  | { readonly kind: 'succeeded'; readonly output: string }
  | { readonly kind: 'failed'; readonly error: CallError }
  /** It may have happened, and nobody knows (promise 7). */
  | { readonly kind: 'unknown'; readonly error: CallError }
  /** It goes on when a callback comes, or ends as expired after so many milliseconds. */
  | { readonly kind: 'waiting'; readonly forAtMost: number };

/** What an action says of doing something twice. */
export type Repeatable =
  /** Doing it twice is doing it once. */
  | 'idempotent'
  /** The target recognises `Attempt.idempotencyKey`. */
  | 'keyed'
  /** `probe` can tell whether it happened. */
  | 'probed'
  | 'never';

/** One try of a call, as the executor gets it. */
export interface Attempt {
  readonly call: OwnedCall;
  /** Aborted when the attempt's time is up, the call is cancelled, or this node no longer owns it. */
  readonly signal: AbortSignal;
  /** The same for every attempt of the call. */
  readonly idempotencyKey: string;
}

/** Does what a call asks for. Given by composition. */
export interface Executor {
  /** Never rejects on purpose: a rejection is a fault of the executor itself, after which the outcome is unknown. */
  execute(attempt: Attempt): Promise<Outcome>;
  /**
   * What the action says of itself; undefined when there is no such action (any more). What depends on the input (JSON
   * text) is `never` without it.
   */
  about(
    action: string,
    input?: string,
  ): { readonly repeatable: Repeatable; readonly policy?: PolicyOverride } | undefined;
  /** Asks the target whether the attempt that was lost took place. Only for `probed` actions. */
  probe?(attempt: Attempt): Promise<Outcome>;
}
