import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { openGroupCommit } from '../../platform/group-commit/index.ts';
import type { Log } from '../../platform/log.ts';
import { callsStatement, type Accepted } from './batch.ts';
import type { NewCall, OwnedCall } from './call.ts';
import type { Continuations, Ended } from './continuation.ts';
import { engineErrors } from './errors.ts';
import { Lease } from './lease.ts';
import type { CallError, Executor } from './outcome.ts';
import { Recorder } from './recorder.ts';
import { Usage, type Quota } from './quota.ts';
import { RetentionKeeper } from './retention.ts';
import { entryOf, Runner } from './runner.ts';
import { Slots, type SlotLimits } from './slots.ts';
import * as store from './store.ts';
import { Sweeper } from './sweeper.ts';

export interface EngineOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly executor: Executor;
  readonly continuations?: Continuations;
  readonly limits?: SlotLimits;
  readonly quota?: Quota;
  /** Milliseconds. Default 3,000. */
  readonly lease?: number;
  /** Milliseconds between sweeps. Default 500. */
  readonly sweepEvery?: number;
  /** No other hub can be alive on this database. Default false. */
  readonly sole?: boolean;
  /** Tells another node that one of its calls shall be cancelled. Without it that node finds out by its sweep. */
  readonly tellCancel?: (call: string) => void;
  /** Told of every commit, for whoever reads the events written with it. */
  readonly written?: () => void;
  /** Told of every end this node wrote, after its commit. */
  readonly ended?: (ended: Ended) => void;
  /** Told of every call whose attempt ended here as waiting, after its commit. */
  readonly waits?: (call: OwnedCall) => void;
}

const DEFAULT_LIMITS: SlotLimits = {
  node: 256,
  tenant: 256,
  target: () => ({ concurrency: 128, breaker: { failures: 20, pause: 5_000 } }),
};

const DEFAULT_QUOTA: Quota = {
  callsPerDay: 50_000_000,
  unfinished: 1_000_000,
  storedBytes: 50 * 1024 ** 3,
};

/** How a call that waits, or is held, ends or goes on. `by` is kept as the reason of its end. */
export type Answer =
  | { readonly kind: 'succeeded'; readonly output: string; readonly by?: string }
  | { readonly kind: 'failed'; readonly error: CallError; readonly by?: string }
  /** Held calls only. */
  | { readonly kind: 'retry' };

/** Durable calls: accepted only when committed, ended exactly once. */
export interface Engine {
  start(): Promise<void>;
  /**
   * Accepts a call; it is on disk when this resolves (promise 1).
   * Fails with `writes_backed_up`, `write_not_confirmed` (both retryable), `node_draining`,
   * `overloaded`, `quota_calls`, `quota_unfinished`, `quota_bytes`.
   */
  accept(call: NewCall): Promise<{ id: string; result: Accepted }>;
  /** Continues a call that waits or is held. False when it does neither (any more): the first answer wins (promise 4). */
  answer(tenant: string, id: string, from: 'waiting' | 'held', answer: Answer): Promise<boolean>;
  /** Cancels what has not ended; `cancelling` while its attempt is being stopped. Undefined when it has ended. */
  cancel(tenant: string, id: string): Promise<'cancelled' | 'cancelling' | undefined>;
  /** Stops the attempt of a call that another node marked for cancelling. */
  stopAttempt(id: string): void;
  /** Takes on nothing new, lets attempts finish for `grace` milliseconds, writes what is to be written. */
  drain(grace: number): Promise<void>;
}

/** Milliseconds a caller waits for its commit before it is told to come again. */
const PATIENCE = 10_000;

/** Puts the parts together: slots, lease, runner, recorder, sweeper and the group commit under them. */
export function createEngine(options: EngineOptions): Engine {
  const { database, clock, log, executor } = options;
  const meters = measure(options.registry);
  const usage: Usage = new Usage({
    database,
    clock,
    log,
    quota: options.quota ?? DEFAULT_QUOTA,
    node: () => lease.node,
  });
  const leaseDuration = options.lease ?? 3_000;
  const slots = new Slots(options.limits ?? DEFAULT_LIMITS, clock);
  const lease = new Lease(
    { database, clock, log, duration: leaseDuration, sole: options.sole ?? false },
    (n) => slots.share(n),
  );
  const commit = openGroupCommit({
    target: database.target,
    statement: callsStatement(() => lease.node),
    log,
    clock,
    observe: ({ operations, seconds }) => {
      meters.batch.observe(operations);
      meters.commit.observe(seconds);
      options.written?.();
    },
  });
  const retention = new RetentionKeeper({ target: database.target, clock, log });
  let open = false;
  const runner: Runner = new Runner({
    executor,
    clock,
    log,
    chance: Math.random,
    recorder: () => recorder,
    roomMade: () => sweeper.roomMade(),
    observe: (outcome, seconds) => meters.attempts.observe({ outcome }, seconds),
  });
  const recorder = new Recorder({
    commit,
    database,
    slots,
    clock,
    log,
    continuations: options.continuations ?? {},
    node: () => lease.node,
    open: () => open,
    start: (call: OwnedCall, slot) => runner.start(call, slot),
    backlog: ({ tenant, target }) => {
      slots.queued(tenant, target);
      sweeper.backlogMade();
    },
    follows: (call) => usage.add(call.tenant, call.input.length),
    ended: (ended) => {
      meters.ended.inc({ state: ended.state });
      usage.ended(ended.call.tenant, (ended.output?.length ?? 0) + (ended.error?.length ?? 0));
      options.ended?.(ended);
    },
    waits: (call) => options.waits?.(call),
  });
  const sweeper = new Sweeper({
    database,
    clock,
    log,
    slots,
    lease,
    leaseDuration,
    runner,
    recorder,
    every: options.sweepEvery ?? 500,
  });
  meters.running(() => slots.running);

  return {
    async start() {
      await retention.start();
      await lease.start();
      await usage.start();
      open = true;
      sweeper.start();
    },
    async accept(call) {
      if (!open) throw engineErrors.node_draining({ retryAfter: 5 });
      if (commit.full) throw engineErrors.overloaded({ retryAfter: 1 });
      usage.admit(call.tenant, call.input.length);
      return recorder.accept(call, PATIENCE);
    },
    async answer(tenant, id, from, answer) {
      const found = await database.acrossTenants((tx) => store.unfinished(tx, tenant, id));
      if (found?.state !== from) return false;
      const { call } = found;
      if (answer.kind === 'retry')
        return recorder.move({ call, to: 'queued' }).finally(() => sweeper.backlogMade());
      const attempt = entryOf(answer, clock.now(), clock.now());
      return recorder.end(call, answer.kind, {
        attempt,
        ...(answer.by !== undefined && { reason: answer.by }),
      });
    },
    async cancel(tenant, id) {
      for (;;) {
        const found = await database.acrossTenants((tx) => store.unfinished(tx, tenant, id));
        if (!found || found.state === 'continuing') return undefined;
        if (found.state === 'running' || found.state === 'cancelling') {
          const node = await database.acrossTenants((tx) => store.markCancelling(tx, tenant, id));
          if (node === undefined) continue;
          if (node === lease.node) runner.cancel(id);
          else options.tellCancel?.(id);
          return 'cancelling';
        }
        if (await recorder.end(found.call, 'cancelled')) return 'cancelled';
      }
    },
    stopAttempt: (id) => runner.cancel(id),
    async drain(grace) {
      open = false;
      // What waits for a database that is away would wait for ever.
      const stop = clock.after(2 * grace, () => {
        void commit.close(0);
        void recorder.close(0);
      });
      await sweeper.stop();
      await runner.drain(grace);
      await recorder.close(grace);
      await commit.close(grace);
      stop();
      retention.stop();
      // Each for itself: with the database away the others find out by the lease.
      for (const end of [() => usage.stop(), () => lease.end()])
        await end().catch((err: unknown) => log.warn('not everything could be handed over', { err }));
    },
  };
}

/** The engine's metrics; names carry no tenant and no target, so that their number is bounded. */
function measure(registry: Registry) {
  const registers = [registry];
  return {
    ended: new Counter({
      name: 'linkspan_calls_ended_total',
      help: 'Calls this node ended, by final state.',
      labelNames: ['state'],
      registers,
    }),
    attempts: new Histogram({
      name: 'linkspan_attempt_seconds',
      help: 'Duration of attempts, by outcome.',
      labelNames: ['outcome'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
    }),
    batch: new Histogram({
      name: 'linkspan_commit_operations',
      help: 'Operations that shared one commit.',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
      registers,
    }),
    commit: new Histogram({
      name: 'linkspan_commit_seconds',
      help: 'Time from sending a batch to its commit.',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2],
      registers,
    }),
    running: (read: () => number) =>
      new Gauge({
        name: 'linkspan_attempts_running',
        help: 'Attempts under way on this node.',
        registers,
        collect() {
          this.set(read());
        },
      }),
  };
}
