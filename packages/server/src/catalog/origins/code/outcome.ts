import type { RetryClass } from '@linkspan/sdk';

/** What an attempt failed with. Redacted. */
export interface AttemptError {
  /** One the action declares, or one of the hub's own. */
  readonly code: string;
  readonly message: string;
  readonly retry: RetryClass;
  /** Milliseconds. */
  readonly retryAfter?: number;
  readonly details?: unknown;
}

/** How an attempt ended. `output` is JSON text. */
export type AttemptOutcome =
  | { readonly kind: 'succeeded'; readonly output: string }
  /** `unknown`: it may have happened, and nobody knows. */
  | { readonly kind: 'failed' | 'unknown'; readonly error: AttemptError }
  /** It goes on when a callback is used, or expires after so many milliseconds. */
  | { readonly kind: 'waiting'; readonly forAtMost: number };

/** Errors of the hub's own, beside those of egress, that an attempt of a code action may end with. */
const HUB_FAILURES = {
  no_such_action: 'The action this call names is not known to this hub (any more).',
  input_invalid: 'The input does not have the shape the action asks for (any more).',
  output_invalid:
    'The action took place, but gave what it does not declare. This is a fault of the connector.',
  output_too_large: 'The action took place, but its output is larger than 64 KiB.',
  connector_fault: 'The connector failed in a way it does not declare. The log of the hub has more.',
  attempt_timeout: 'The attempt did not end in its time.',
  attempt_aborted: 'The attempt was given up: the call was cancelled, or the hub stopped.',
  outcome_unknown: 'Whether it happened is not known.',
  not_happened: 'The attempt that was lost did not take place.',
} as const;

type HubFailure = keyof typeof HUB_FAILURES;

export function hubError(code: HubFailure, retry: RetryClass = 'permanent', details?: unknown): AttemptError {
  return { code, message: HUB_FAILURES[code], retry, ...(details !== undefined && { details }) };
}
