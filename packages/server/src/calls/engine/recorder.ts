import type { Clock } from '../../platform/clock.ts';
import type { Database, Transaction } from '../../platform/database/index.ts';
import { HubError } from '../../platform/errors.ts';
import { groupCommitErrors, type GroupCommit, type Submission } from '../../platform/group-commit/index.ts';
import type { Log } from '../../platform/log.ts';
import type { Accept, Accepted, JournalEntry, Move, Operation, Written } from './batch.ts';
import { detailsOf, isEnd, newCallId, type EndState, type NewCall, type OwnedCall } from './call.ts';
import type { Continuations, Ended, Following } from './continuation.ts';
import type { Slot, Slots } from './slots.ts';
import * as store from './store.ts';

export interface RecorderParts {
  readonly commit: GroupCommit<Operation, Written>;
  readonly database: Database;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly log: Log;
  readonly continuations: Continuations;
  readonly node: () => number;
  /** Whether this node takes on calls at all; not while it drains. */
  readonly open: () => boolean;
  /** Starts a call that this node owns since the last commit. */
  readonly start: (call: OwnedCall, slot: Slot) => void;
  /** There is work that nobody owns. */
  readonly backlog: (call: NewCall) => void;
  /** Told of every call that is about to follow another. */
  readonly follows: (call: NewCall) => void;
  /** Told of every end this node wrote. */
  readonly ended: (ended: Ended) => void;
  /** Told of every call that waits now. */
  readonly waits: (call: OwnedCall) => void;
}

/** Pauses between tries of a continuation that throws: doubled each time, up to the last. Milliseconds. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 60_000;
const LOOK_AGAIN = 1_000;

/** A call to be made, with the slot it starts in when it is owned. */
type Prepared = Accept & { readonly slot: Slot | undefined };

/**
 * Writes what happens to calls, with what follows from it.
 *
 * 1. A call and what follows it in its run are one commit; where the following has to be worked out first, the
 *    outcome is committed before, as `continuing`, and is never executed again (promise 3, engine rule 7).
 * 2. An owned call starts only after the commit that made it owned (engine rule 4).
 * 3. What the database did not confirm is looked up: a write that had landed is told apart from a lost call.
 * 4. Nobody waits for a continuation: whoever ends a call is answered when its outcome is recorded.
 */
export class Recorder {
  readonly #parts: RecorderParts;
  /** Continuations being worked out here, by their call or group. */
  readonly #behind = new Map<string, Promise<void>>();
  /** Calls on their way into the database. They may be owned since a commit nobody has confirmed yet. */
  readonly #underWay = new Set<string>();
  readonly #closing = new AbortController();

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  /**
   * Accepts a call, and starts it here if there is room. Rejects with `writes_backed_up` when it could not be sent to
   * the database within `patience` milliseconds: it is withdrawn; and with `write_not_confirmed` when it was sent and
   * nobody knows: it goes on if it was written.
   */
  async accept(call: NewCall, patience: number): Promise<{ id: string; result: Accepted }> {
    const accept = this.#prepareOne(call, (tenant, target) => this.#parts.slots.takeInTurn(tenant, target));
    const submission = this.#submit({ key: call.place?.run ?? accept.id, accepts: [accept] });
    const late = Promise.withResolvers<never>();
    const stop = this.#parts.clock.after(patience, () => {
      if (!submission.withdraw()) late.reject(groupCommitErrors.write_not_confirmed({ retryAfter: 1 }));
    });
    try {
      const { accepted } = await Promise.race([submission.written, late.promise]);
      return { id: accept.id, result: accepted[0]! };
    } finally {
      stop();
    }
  }

  /** Ends a call, and makes what follows it. False when this node had lost the call. */
  async end(
    call: OwnedCall,
    state: EndState,
    { attempt, reason }: { attempt?: JournalEntry; reason?: string } = {},
  ): Promise<boolean> {
    const ended: Ended = { call, state, output: attempt?.output, error: attempt?.error };
    const following = this.#following(ended);
    if (following instanceof Promise) return this.#endLater(ended, following, attempt);
    return this.#move(
      { call, to: state, ...(reason && { reason }), ...(attempt && { attempt }) },
      following,
      ended,
    );
  }

  /** Moves a call to a state that is no end. False when this node had lost it. */
  move(move: Move): Promise<boolean> {
    return this.#move(move, [], undefined);
  }

  /** Carries out what follows an outcome that is recorded already. */
  continueRun(call: OwnedCall, state: EndState): void {
    this.#goOn(call.id, async () => {
      const last = await this.#patiently((tx) => store.lastAttempt(tx, call.id));
      const ended = { call, state, output: last?.output, error: last?.error };
      await this.#finishContinuing(ended, this.#following(ended));
    });
  }

  /** Carries out what follows a group whose last call has ended. */
  continueGroup(id: string, tenant: string): void {
    this.#goOn(id, async () => {
      const details = await this.#patiently((tx) => store.groupDetails(tx, id));
      if (details === undefined) return;
      const ask = () => this.#parts.continuations.groupEnded?.({ tenant, id, details }) ?? [];
      const following = await this.#persist(ask, ask);
      for (const next of following) this.#parts.follows(next);
      await this.#submit({ key: id, group: id, accepts: this.#prepare(following) }).written;
    });
  }

  /** Whether this call is being made here, or a continuation of it or of this group worked out. */
  isBehind(id: string): boolean {
    return this.#behind.has(id) || this.#underWay.has(id);
  }

  /** Lets continuations finish for `grace` milliseconds; what is left another node takes over. */
  async close(grace: number): Promise<void> {
    const stop = this.#parts.clock.after(grace, () => this.#closing.abort());
    while (this.#behind.size > 0) await Promise.all(this.#behind.values());
    stop();
    this.#closing.abort();
  }

  /** Works on behind its caller's back, on each thing once at a time. What fails here is found again by the sweep. */
  #goOn(id: string, work: () => Promise<void>): void {
    if (this.#behind.has(id)) return;
    const done = work()
      .catch((err: unknown) => this.#parts.log.warn('what follows was left to the sweep', { err }))
      .finally(() => this.#behind.delete(id));
    this.#behind.set(id, done);
  }

  async #endLater(
    ended: Ended,
    following: Promise<readonly NewCall[]>,
    attempt?: JournalEntry,
  ): Promise<boolean> {
    const { call, state } = ended;
    following.catch(() => {}); // asked again below
    const written = await this.#move(
      { call, to: 'continuing', reason: state, ...(attempt && { attempt }) },
      [],
      undefined,
    );
    const moved = { ...ended, call: { ...call, epoch: call.epoch + 1 } };
    if (written) this.#goOn(call.id, () => this.#finishContinuing(moved, following));
    return written;
  }

  async #finishContinuing(ended: Ended, first: Following): Promise<void> {
    const following = await this.#persist(
      () => first,
      () => this.#following(ended),
    );
    await this.#move({ call: ended.call, to: ended.state }, following, ended);
  }

  /** A continuation that throws must not lose the run: it is asked again until it answers, or this node closes. */
  async #persist(first: () => Following, again: () => Following): Promise<readonly NewCall[]> {
    const { signal } = this.#closing;
    let ask = first;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        return await unlessAborted(signal, ask());
      } catch (err) {
        if (signal.aborted) throw err;
        this.#parts.log.error('what follows an ended call could not be worked out', { err });
        await this.#parts.clock.sleep(pause, signal);
        ask = again;
      }
    }
  }

  #following(ended: Ended): Following {
    if (ended.call.run === undefined) return [];
    try {
      return this.#parts.continuations.callEnded?.(ended) ?? [];
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #move(move: Move, following: readonly NewCall[], ended: Ended | undefined): Promise<boolean> {
    const { call } = move;
    for (const next of following) this.#parts.follows(next);
    const submission = this.#submit({
      key: call.run ?? call.id,
      move,
      accepts: this.#prepare(following),
    });
    const written = await submission.written;
    if (written.emptied !== undefined) this.continueGroup(written.emptied, call.tenant);
    const landed = written.moved === move.to || (submission.resent() && (await this.#landed(move)));
    if (landed) {
      if (ended && isEnd(move.to)) this.#parts.ended(ended);
      if (move.to === 'waiting') this.#parts.waits(call);
    } else {
      await this.#lost(move);
    }
    return landed;
  }

  /** The epoch did not hold. Either an earlier try of this very write was committed, or the call is another's. */
  async #landed({ call, attempt }: Move): Promise<boolean> {
    if (!attempt) return false;
    return this.#patiently((tx) => store.journalled(tx, call, this.#parts.node(), attempt));
  }

  async #lost({ call, attempt }: Move): Promise<void> {
    const { node, log } = this.#parts;
    const now = await this.#patiently((tx) => store.unfinished(tx, call.tenant, call.id));
    if (now?.state === 'cancelling' && now.call.epoch === call.epoch) {
      await this.end(call, 'cancelled', attempt ? { attempt } : {});
    } else if (attempt) {
      log.warn('an outcome came too late to count', { call: call.id, attempt: call.attempt });
      await this.#patiently((tx) => store.journalLate(tx, call, node(), attempt));
    }
  }

  /** A look beside the batches, however long the database is away. */
  async #patiently<T>(look: (tx: Transaction) => Promise<T>): Promise<T> {
    const { database, clock, log } = this.#parts;
    const { signal } = this.#closing;
    for (;;) {
      try {
        return await database.acrossTenants(look);
      } catch (err) {
        if (signal.aborted || !(err instanceof HubError && err.kind.retryable)) throw err;
        log.warn('the database is asked again', { err });
        await clock.sleep(LOOK_AGAIN, signal);
      }
    }
  }

  /** What follows in a run goes before new calls: runs that have begun come to their end. */
  #prepare(following: readonly NewCall[]): Prepared[] {
    const { slots } = this.#parts;
    return following.map((call) => this.#prepareOne(call, (tenant, target) => slots.take(tenant, target)));
  }

  #prepareOne(call: NewCall, take: (tenant: string, target: string) => Slot | undefined): Prepared {
    const { slots, open } = this.#parts;
    const { tenant, target } = call;
    const mayStart = open() && call.delay === undefined && call.job === undefined;
    const slot = mayStart ? take(tenant, target) : undefined;
    const id = call.id ?? newCallId(call.retention);
    return { id, call, lane: slots.lane(tenant, target), owned: slot !== undefined, slot };
  }

  #submit(operation: Omit<Operation, 'accepts'> & { accepts: readonly Prepared[] }): Submission<Written> {
    const { accepts } = operation;
    const submission = this.#parts.commit.submit(operation);
    for (const { id } of accepts) this.#underWay.add(id);
    const written = submission.written.then(
      (result) => {
        accepts.forEach((accept, index) => this.#welcome(accept, result.accepted[index]!));
        for (const { id } of accepts) this.#underWay.delete(id);
        return result;
      },
      (error: unknown) => {
        for (const { id, slot } of accepts) {
          slot?.end('none');
          this.#underWay.delete(id);
        }
        throw error;
      },
    );
    return { ...submission, written };
  }

  /** Starts what is owned; gives the slot back of what is not. */
  #welcome(accept: Prepared, result: Accepted): void {
    const { slot, call } = accept;
    if (slot && result.kind === 'accepted' && result.state === 'running') {
      this.#parts.start(ownedFrom(accept, this.#parts.clock.now()), slot);
      return;
    }
    slot?.end('none');
    if (result.kind === 'accepted' && call.delay === undefined) this.#parts.backlog(call);
    if (slot && (result.kind === 'exists' || result.kind === 'orphan')) this.#findUnconfirmed(accept);
  }

  /** Starts a call after all if an earlier, unconfirmed commit of the same write made it this node's. */
  #findUnconfirmed(accept: Prepared): void {
    const { node, slots, clock, start } = this.#parts;
    const { tenant, target } = accept.call;
    this.#goOn(accept.id, async () => {
      const owned = await this.#patiently((tx) => store.stillOwned(tx, node(), accept.id, 1));
      if (owned) start(ownedFrom(accept, clock.now()), slots.insist(tenant, target));
    });
  }
}

/** What `work` comes to, or a rejection as soon as the signal is aborted. */
async function unlessAborted<T>(signal: AbortSignal, work: T | Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason as Error);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** A call as its owner knows it, without reading it back. */
function ownedFrom({ id, call }: Prepared, now: number): OwnedCall {
  const { tenant, principal, action, target, input, place, group, deadline } = call;
  return {
    id,
    tenant,
    principal,
    action,
    target,
    input,
    details: detailsOf(call),
    run: place?.run,
    group: group?.id,
    deadline: deadline === undefined ? undefined : now + deadline,
    epoch: 1,
    attempt: 1,
  };
}
