import { acceptedAt, type OwnedCall } from './call.ts';
import type { CallError, Outcome, Repeatable } from './outcome.ts';
import { pauseAfter, type Policy } from './policy.ts';

/** Again, this many milliseconds from now; `probe` asks first whether the lost attempt took place. */
interface Retry {
  readonly to: 'queued';
  readonly delay: number;
  readonly reason?: 'probe';
}

/** What becomes of a call after an attempt. */
export type Decision =
  | { readonly to: 'succeeded' }
  | { readonly to: 'failed' | 'expired' }
  | Retry
  | { readonly to: 'waiting'; readonly delay: number }
  | { readonly to: 'held'; readonly reason: HoldReason };

/** Why a person has to look at a call. */
export type HoldReason = 'unknown_outcome' | 'poison' | 'no_such_action';

export interface Circumstances {
  readonly policy: Policy;
  readonly repeatable: Repeatable;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Drawn from 0 to 1. */
  readonly chance: number;
}

/** Decides by the outcome alone what comes next: the whole retry rule of the hub. */
export function decide(call: OwnedCall, outcome: Outcome, around: Circumstances): Decision {
  if (outcome.kind === 'succeeded') return { to: 'succeeded' };
  if (outcome.kind === 'waiting') return { to: 'waiting', delay: outcome.forAtMost };
  if (outcome.kind === 'unknown') return afterUnknown(call, outcome.error, around);
  return again(call, outcome.error, around) ?? { to: isOver(call, around) ? 'expired' : 'failed' };
}

/** Unknown is not failed (promise 7): only what the action declares may send it a second time. */
function afterUnknown(call: OwnedCall, error: CallError, around: Circumstances): Decision {
  const retry = again(call, { ...error, retry: 'transient' }, { ...around, policy: retrying(around.policy) });
  if (around.repeatable === 'probed') return retry ? { ...retry, reason: 'probe' } : lastProbe(call, around);
  if (around.repeatable === 'never' || !retry) return { to: 'held', reason: 'unknown_outcome' };
  return retry;
}

/** After the last attempt it is still worth asking once whether it took place. */
function lastProbe(call: OwnedCall, { policy, chance }: Circumstances): Decision {
  if (call.attempt > policy.attempts) return { to: 'held', reason: 'unknown_outcome' };
  return { to: 'queued', delay: pauseAfter(policy, policy.attempts, chance), reason: 'probe' };
}

/** A policy may exclude transient errors of the target; the death of a node is none of the target's. */
function retrying(policy: Policy): Policy {
  return { ...policy, retryOn: ['transient'] };
}

function isOver({ deadline }: OwnedCall, { now }: Circumstances): boolean {
  return deadline !== undefined && deadline <= now;
}

function again(call: OwnedCall, error: CallError, around: Circumstances): Retry | undefined {
  const { policy, now, chance } = around;
  if (error.retry === 'permanent' || !policy.retryOn.includes(error.retry) || call.attempt >= policy.attempts)
    return undefined;
  const delay = pauseAfter(policy, call.attempt, chance, error.retryAfter);
  const latest = Math.min(acceptedAt(call.id) + policy.totalTime, call.deadline ?? Number.POSITIVE_INFINITY);
  return now + delay < latest ? { to: 'queued', delay } : undefined;
}
