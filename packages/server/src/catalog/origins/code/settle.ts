import { ActionError, TransportError, UnknownOutcome, type Failure } from '@linkspan/sdk';
import type { Redactor } from '@linkspan/sdk/hub';
import type { Fault } from '../../../platform/errors.ts';
import type { CatalogAction } from '../../action.ts';
import { hubError, type AttemptError, type AttemptOutcome } from './outcome.ts';

/** What comes of an attempt: from what the connector gave or threw, to an outcome fit to be stored and shown. */

const LARGEST_OUTPUT = 65_536;
const LARGEST_DETAILS = 16_384;
const LONGEST_MESSAGE = 1_000;

/** What is known of an attempt whose end is judged. */
export interface Circumstances {
  readonly action: CatalogAction;
  readonly redactor: Redactor;
  /** Why the attempt was aborted; undefined when it was not. */
  readonly aborted: string | undefined;
  /** Whether it may have changed something outside. */
  readonly touched: boolean;
}

type Unsuccessful = Exclude<AttemptOutcome, { kind: 'succeeded' | 'waiting' }>;

/** What became of an output. */
export type Success =
  | { readonly kind: 'succeeded'; readonly output: string }
  | { readonly kind: 'failed'; readonly error: AttemptError };

/** A success whose output is as declared and small enough. */
export function succeeded(output: unknown, { action, redactor }: Circumstances): Success {
  const text = jsonText(output);
  if (text !== undefined && tooLarge(text)) return { kind: 'failed', error: hubError('output_too_large') };
  const plain: unknown = text === undefined ? undefined : JSON.parse(text);
  const faults = action.checkOutput(plain);
  if (faults.length > 0)
    return {
      kind: 'failed',
      error: hubError('output_invalid', 'permanent', { faults: redactor.json(faults) }),
    };
  const shown = JSON.stringify(redactor.json(plain));
  return tooLarge(shown)
    ? { kind: 'failed', error: hubError('output_too_large') }
    : { kind: 'succeeded', output: shown };
}

/**
 * An attempt that threw. Unknown is not failed: unless the connector says what happened, an attempt that may have
 * changed something has an unknown outcome.
 */
export function threw(error: unknown, around: Circumstances): Unsuccessful {
  const declared = declaredError(error, around);
  if (declared) return { kind: 'failed', error: redacted(declared, around.redactor) };
  if (error instanceof UnknownOutcome)
    return { kind: 'unknown', error: redacted(unknownError(error), around.redactor) };
  const kind = around.touched && around.action.effect !== 'read' ? 'unknown' : 'failed';
  return { kind, error: redacted(undeclaredError(error, around.aborted), around.redactor) };
}

function declaredError(error: unknown, { action }: Circumstances): AttemptError | undefined {
  if (!(error instanceof ActionError) || !Object.hasOwn(action.errors, error.code)) return undefined;
  const { meaning, retry } = action.errors[error.code]!;
  return { code: error.code, retry, ...occurrence(error.failure, meaning) };
}

function unknownError({ failure }: UnknownOutcome): AttemptError {
  const { message } = hubError('outcome_unknown');
  return { code: 'outcome_unknown', retry: 'transient', ...occurrence(failure, message) };
}

function undeclaredError(error: unknown, aborted: string | undefined): AttemptError {
  if (aborted === 'timeout') return hubError('attempt_timeout', 'timeout');
  if (aborted !== undefined) return hubError('attempt_aborted', 'transient');
  if (error instanceof TransportError)
    return { code: error.code, message: error.message, retry: error.retry };
  return hubError('connector_fault');
}

function occurrence(
  { message, retryAfter, details }: Failure,
  meaning: string,
): Pick<AttemptError, 'message' | 'retryAfter' | 'details'> {
  const wait = Number.isFinite(retryAfter) ? Math.max(0, Math.round(retryAfter!)) : undefined;
  return {
    message: typeof message === 'string' && message !== '' ? message : meaning,
    ...(wait !== undefined && { retryAfter: wait }),
    ...(details !== undefined && { details: keptDetails(details) }),
  };
}

/** Details are there to be read; what is no JSON, or too much of it, is left out and said to be. */
export function keptDetails(details: unknown): unknown {
  const text = jsonText(details);
  if (text === undefined) return { omitted: 'not JSON' };
  if (Buffer.byteLength(text) > LARGEST_DETAILS) return { omitted: `larger than ${LARGEST_DETAILS} bytes` };
  return JSON.parse(text);
}

/** An input that has not the shape it should have. */
export function refusedInput(faults: readonly Fault[], redactor: Redactor): AttemptOutcome {
  return { kind: 'failed', error: redacted(hubError('input_invalid', 'permanent', { faults }), redactor) };
}

/** Redacts before it cuts: half a secret would not be recognised. */
function redacted(error: AttemptError, redactor: Redactor): AttemptError {
  const { message, details } = error;
  return {
    ...error,
    message: redactor.text(message).slice(0, LONGEST_MESSAGE),
    ...(details !== undefined && { details: redactor.json(details) }),
  };
}

function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function tooLarge(text: string): boolean {
  return Buffer.byteLength(text) > LARGEST_OUTPUT;
}
