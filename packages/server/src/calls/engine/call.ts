import { madeAt, newId } from '../../platform/ids.ts';
import type { PolicyOverride } from './policy.ts';

/**
 * A call: one durable execution of an action.
 *
 *     queued → running → succeeded | failed | waiting | held
 *     running → queued                                  a retry, with a due time
 *     waiting → succeeded | failed | expired            by a callback or its deadline
 *     held → queued | failed                            by a person or an event
 *     anything not ended → cancelling → cancelled
 *     running, waiting, held → continuing → ended       the outcome is recorded, what follows in the run is not yet
 *
 * Ended is final (promise 2). `continuing` shows as `running` outside the engine.
 */
export type EndState = 'succeeded' | 'failed' | 'expired' | 'cancelled';
export type OpenState = 'queued' | 'running' | 'waiting' | 'held' | 'continuing' | 'cancelling';
export type CallState = OpenState | EndState;

const END: ReadonlySet<string> = new Set<EndState>(['succeeded', 'failed', 'expired', 'cancelled']);

/** Whether a state is final. */
export function isEnd(state: CallState): state is EndState {
  return END.has(state);
}

/** How long what is known of an ended call is kept. */
export type Retention = 'brief' | 'standard' | 'long';

/** Days after the end. */
export const RETENTION_DAYS: Readonly<Record<Retention, number>> = { brief: 1, standard: 30, long: 400 };

export const RETENTION_CODE: Readonly<Record<Retention, number>> = { brief: 1, standard: 2, long: 3 };

/** A new call's id. Its retention class lies in the four bits behind the version, so that a look-up prunes by it. */
export function newCallId(retention: Retention = 'standard', now?: number): string {
  const id = newId(now);
  return `${id.slice(0, 15)}${RETENTION_CODE[retention]}${id.slice(16)}`;
}

/** The code of the retention class in a call's id; 0 when it is no call's id. */
export function retentionOf(callId: string): number {
  const code = Number.parseInt(callId.charAt(15), 16);
  return code >= 1 && code <= 3 ? code : 0;
}

/** When the call was accepted, in milliseconds since the epoch, by the clock of the node that accepted it. */
export function acceptedAt(callId: string): number {
  return madeAt(callId);
}

/** How a job with a key treats others of the same key (`NewCall.job`). */
export type JobMode = 'enqueue' | 'replace' | 'if_not_scheduled' | 'if_not_running';

/** What a call's run has to know when the call ends. */
export interface RunPlace {
  readonly run: string;
  /** Name of the step in its flow. */
  readonly step?: string;
}

/** A call as it is asked for. Times are milliseconds. */
export interface NewCall {
  /** Made by `newCallId`; the engine makes one when absent. */
  readonly id?: string;
  readonly tenant: string;
  readonly principal?: string;
  readonly action: string;
  /** What the action reaches, such as a host: the unit of concurrency, rate, breaker and fairness. */
  readonly target: string;
  /** JSON text, checked by the action's schema, with null for what is secret. */
  readonly input: string;
  /** What is secret of the input, sealed; base64. */
  readonly sealed?: string;
  readonly policy?: PolicyOverride;
  /** Stored with the call and given back with its end. */
  readonly context?: unknown;
  readonly retention?: Retention;
  /** Not before this long from now. */
  readonly delay?: number;
  /** Ended as `expired` when it has not ended this long from now. */
  readonly deadline?: number;
  readonly place?: RunPlace;
  /** Counts as a member of a group; `details` reach the group's continuation when the last member has ended. */
  readonly group?: { readonly id: string; readonly details: string };
  /** A job of this key, for all calls of the tenant. */
  readonly job?: { readonly key: string; readonly mode: JobMode };
  /** The call this one repeats. */
  readonly redriveOf?: string;
  /** Makes a repeated request the same call. Digests are SHA-256; `life` is how long the key is remembered. */
  readonly once?: { readonly key: Buffer; readonly body: Buffer; readonly life: number };
  /** Who asked, for the audit. Absent for calls the hub itself makes. */
  readonly asked?: { readonly request: string; readonly token?: string; readonly address?: string };
}

/** What is only stored and read back whole of a call. */
export type CallDetails = Pick<NewCall, 'policy' | 'context' | 'redriveOf' | 'sealed'> & {
  readonly step?: string;
};

/** A call of which this node owns the attempt under way. */
export interface OwnedCall {
  readonly id: string;
  readonly tenant: string;
  readonly principal: string | undefined;
  readonly action: string;
  readonly target: string;
  readonly input: string;
  readonly details: CallDetails;
  readonly run: string | undefined;
  readonly group: string | undefined;
  /** Milliseconds since the epoch, by the clock of the database. */
  readonly deadline: number | undefined;
  readonly epoch: number;
  readonly attempt: number;
}

export function detailsOf(call: NewCall): CallDetails {
  const { policy, context, redriveOf, sealed, place } = call;
  return {
    ...(policy && { policy }),
    ...(context !== undefined && { context }),
    ...(redriveOf && { redriveOf }),
    ...(sealed !== undefined && { sealed }),
    ...(place?.step && { step: place.step }),
  };
}
