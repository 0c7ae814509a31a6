import { HubError, type ErrorKind } from '../platform/errors.ts';
import type { CallError, EndState, RetryClass } from './engine/index.ts';
import { callErrors } from './errors.ts';

/** How the end of a call is answered: its output, or its error as if the caller had met it (errors bubble). */

/** How a call ended, as far as whoever asked for it wants to know. */
export interface End {
  readonly id: string;
  readonly state: EndState;
  /** JSON text, of a call that succeeded. */
  readonly output: string | undefined;
  /** JSON text of a `CallError`. */
  readonly error: string | undefined;
  readonly context: unknown;
}

const STATUS: Readonly<Record<RetryClass, number>> = {
  permanent: 422,
  rate_limited: 429,
  transient: 502,
  unavailable: 503,
  timeout: 504,
};

const HELP = 'The code is one of the action, whose entry in the catalog explains it; or one of the hub.';

/** The output of a call that succeeded. Otherwise fails with the call's error: its code, and the call's id. */
export function outputOf(end: End): unknown {
  if (end.state !== 'succeeded') throw problemOf(end);
  return parsed(end.output);
}

function problemOf(end: End): HubError {
  const error = parsed(end.error) as CallError | null;
  const { kind } = kindOf(end);
  const members = { call: end.id, state: end.state, instance: `/api/v1/calls/${end.id}` };
  if (!error) return new HubError(kind, { members });
  const { code, message, retry, retryAfter, details } = error;
  return new HubError(end.state === 'failed' ? kindOfError(kind, code, retry) : kind, {
    detail: message,
    ...(retryAfter !== undefined && { retryAfter: retryAfter / 1000 }),
    members: {
      ...members,
      // The page of errors explains the hub's own codes only.
      type: `/docs/errors#${kind.code}`,
      retry,
      ...(end.state !== 'failed' && { lastCode: code }),
      ...(details !== undefined && { details }),
    },
  });
}

function kindOf({ state }: End): { readonly kind: ErrorKind } {
  if (state === 'expired') return callErrors.call_expired;
  return state === 'cancelled' ? callErrors.call_cancelled : callErrors.call_failed;
}

function kindOfError({ title }: ErrorKind, code: string, retry: RetryClass): ErrorKind {
  return { code, status: STATUS[retry] ?? 502, title, retryable: retry !== 'permanent', help: HELP };
}

function parsed(text: string | undefined): unknown {
  return text === undefined ? null : JSON.parse(text);
}
