import type { Clock, StopTimer } from '../../platform/clock.ts';
import { HubError } from '../../platform/errors.ts';
import { describeError, type Log } from '../../platform/log.ts';
import type { JournalEntry } from './batch.ts';
import { isEnd, type OwnedCall } from './call.ts';
import { decide, type Decision, type HoldReason } from './decide.ts';
import type { Attempt, CallError, Executor, Outcome } from './outcome.ts';
import { policyFor, type Policy } from './policy.ts';
import type { Recorder } from './recorder.ts';
import { verdictOn, type Slot } from './slots.ts';

/** Milliseconds an executor has to settle after its signal was aborted. */
const ABORT_GRACE = 5_000;

/** Attempts that ended with the death of their node, after which a call is held (engine rule 3). */
const MOST_CRASHES = 3;

const NO_SUCH_ACTION: CallError = {
  code: 'no_such_action',
  message: 'The action this call names is not known to this hub (any more).',
  retry: 'permanent',
};

const NODE_LOST: CallError = {
  code: 'node_lost',
  message: 'The hub process that made this attempt stopped before it recorded an outcome.',
  retry: 'transient',
};

const NOT_STORABLE: CallError = {
  code: 'outcome_not_storable',
  message: 'The attempt ended, but the database refuses what it brought. The log of the hub has more.',
  retry: 'permanent',
};

const NO_PROBE: CallError = {
  code: 'no_probe',
  message: 'The action cannot tell whether a lost attempt took place.',
  retry: 'permanent',
};

const STUCK: CallError = {
  code: 'attempt_stuck',
  message: 'The action did not stop when its time was up.',
  retry: 'timeout',
};

/** A call under one ownership. A node may work on a call it lost and on the same call again at once. */
export interface Ownership {
  readonly id: string;
  readonly epoch: number;
}

interface Running extends Ownership {
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

export interface RunnerParts {
  readonly executor: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly chance: () => number;
  readonly recorder: () => Recorder;
  /** A slot came free. */
  readonly roomMade: () => void;
  readonly observe: (outcome: Outcome['kind'], seconds: number) => void;
}

/** Makes attempts of calls this node owns, and hands each outcome to the recorder with what shall come of it. */
export class Runner {
  readonly #parts: RunnerParts;
  readonly #running = new Map<string, Running>();

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#running.size;
  }

  /** Starts an attempt; `probe` asks the target about the lost one instead. */
  start(call: OwnedCall, slot: Slot, probe = false): void {
    const abort = new AbortController();
    const done = this.#attempt(call, slot, abort, probe)
      .catch((err: unknown) =>
        this.#parts.log.error('an attempt could not be recorded', { err, call: call.id }),
      )
      .finally(() => this.#running.delete(nameOf(call)));
    this.#running.set(nameOf(call), { id: call.id, epoch: call.epoch, abort, done });
  }

  /** Ownerships under which this process makes or records an attempt. */
  get running(): Ownership[] {
    return [...this.#running.values()];
  }

  isRunning(one: Ownership): boolean {
    return this.#running.has(nameOf(one));
  }

  /** Aborts the attempts of a call that somebody wants cancelled. */
  cancel(id: string): void {
    for (const one of this.#running.values()) if (one.id === id) one.abort.abort('cancelled');
  }

  /** Aborts an attempt of a call that this node does not own any more. */
  abandon(one: Ownership): void {
    this.#running.get(nameOf(one))?.abort.abort('lost');
  }

  /** Resolves when nothing runs any more; after `grace` milliseconds what runs is aborted. */
  async drain(grace: number): Promise<void> {
    const stop = this.#parts.clock.after(grace, () => {
      for (const { abort } of this.#running.values()) abort.abort('draining');
    });
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(({ done }) => done));
    stop();
  }

  /** Records that an attempt's node died over it, and decides what comes next (promise 7). */
  async recordLost(call: OwnedCall, crashes: number): Promise<void> {
    const now = this.#parts.clock.now();
    const error = JSON.stringify(NODE_LOST);
    const attempt: JournalEntry = { outcome: 'unknown', started: now, ended: now, error };
    const fate: Fate =
      crashes >= MOST_CRASHES
        ? { to: 'held', reason: 'poison' }
        : atOnce(
            this.#decide(call, { kind: 'unknown', error: NODE_LOST }, this.#policyOf(call), now),
            crashes,
          );
    await this.#write(call, fate, attempt);
  }

  async #attempt(call: OwnedCall, slot: Slot, abort: AbortController, probe: boolean): Promise<void> {
    const { clock, observe, roomMade } = this.#parts;
    const policy = this.#policyOf(call);
    const started = clock.now();
    const outcome = await this.#outcome(call, policy, abort, probe);
    const ended = clock.now();
    slot.end('error' in outcome ? verdictOn(outcome.error.retry) : 'good');
    observe(outcome.kind, (ended - started) / 1000);
    const decision = this.#decide(call, outcome, policy, ended);
    roomMade();
    await this.#write(call, decision, entryOf(outcome, started, ended));
  }

  #policyOf(call: OwnedCall): Policy {
    return policyFor(this.#parts.executor.about(call.action)?.policy, call.details.policy);
  }

  /** Only an unknown outcome asks whether doing it twice is safe, which may mean reading the input. */
  #decide(call: OwnedCall, outcome: Outcome, policy: Policy, now: number): Decision {
    const { executor, chance } = this.#parts;
    const about = outcome.kind === 'unknown' ? executor.about(call.action, call.input) : undefined;
    return decide(call, outcome, { policy, repeatable: about?.repeatable ?? 'never', now, chance: chance() });
  }

  async #write(call: OwnedCall, fate: Fate, attempt: JournalEntry): Promise<void> {
    const recorder = this.#parts.recorder();
    try {
      if (isEnd(fate.to)) await recorder.end(call, fate.to, { attempt });
      else await recorder.move({ call, attempt, ...fate });
    } catch (err) {
      if (err instanceof HubError) throw err;
      // The data itself is at fault, and would be the next time. Nobody else would ever look at this call.
      this.#parts.log.error('an outcome is not fit to be stored; the call is held', { err, call: call.id });
      const { started, ended } = attempt;
      const instead = { outcome: 'unknown', started, ended, error: JSON.stringify(NOT_STORABLE) } as const;
      await recorder.move({ call, to: 'held', reason: 'poison' satisfies HoldReason, attempt: instead });
    }
  }

  async #outcome(call: OwnedCall, policy: Policy, abort: AbortController, probe: boolean): Promise<Outcome> {
    const { executor, clock } = this.#parts;
    if (!executor.about(call.action)) return { kind: 'failed', error: NO_SUCH_ACTION };
    if (probe && !executor.probe) return { kind: 'unknown', error: NO_PROBE };
    const attempt: Attempt = { call, signal: abort.signal, idempotencyKey: call.id };
    const left = call.deadline === undefined ? Number.POSITIVE_INFINITY : call.deadline - clock.now();
    const stopTimer = clock.after(Math.max(0, Math.min(policy.attemptTimeout, left)), () =>
      abort.abort('timeout'),
    );
    const stuck = onceStuck(abort.signal, clock);
    try {
      const asked = probe ? executor.probe?.(attempt) : executor.execute(attempt);
      return await Promise.race([asked ?? stuck.outcome, stuck.outcome]);
    } catch (error) {
      this.#parts.log.error('an executor failed', { err: error, call: call.id, action: call.action });
      return { kind: 'unknown', error: faultOf(error) };
    } finally {
      stopTimer();
      stuck.stop();
    }
  }
}

function nameOf({ id, epoch }: Ownership): string {
  return `${id} ${epoch}`;
}

/** Unknown, some time after the signal: the executor does not stop, and what it does meanwhile nobody knows. */
function onceStuck(signal: AbortSignal, clock: Clock): { outcome: Promise<Outcome>; stop: StopTimer } {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let stopTimer: StopTimer | undefined;
  const arm = (): void => {
    stopTimer = clock.after(ABORT_GRACE, () => resolve({ kind: 'unknown', error: STUCK }));
  };
  signal.addEventListener('abort', arm, { once: true });
  return {
    outcome: promise,
    stop: () => {
      signal.removeEventListener('abort', arm);
      stopTimer?.();
    },
  };
}

function faultOf(error: unknown): CallError {
  const { name } = describeError(error);
  return {
    code: 'executor_fault',
    message: 'The hub failed while it made this attempt. Its log has more.',
    retry: 'transient',
    details: { name },
  };
}

/** What a decision comes to: a retry without a delay is ready at once. */
type Fate = Decision | { readonly to: 'queued'; readonly reason?: 'probe' };

/** The target did nothing wrong: the first time a node dies over a call, its retry need not wait. */
function atOnce(decision: Decision, crashes: number): Fate {
  if (decision.to !== 'queued' || crashes > 1) return decision;
  const { delay: _, ...now } = decision;
  return now;
}

/** How the journal tells of an outcome. */
export function entryOf(outcome: Outcome, started: number, ended: number): JournalEntry {
  const { kind } = outcome;
  if (kind === 'succeeded') return { outcome: kind, started, ended, output: outcome.output };
  if (kind === 'waiting') return { outcome: kind, started, ended };
  return { outcome: kind, started, ended, error: JSON.stringify(outcome.error) };
}
