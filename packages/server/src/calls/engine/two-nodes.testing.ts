// For tests: engines of several nodes on one database, and an executor whose attempts end when the test says so.
import { Registry } from 'prom-client';
import type { Scope } from '../../../test/support/database.ts';
import { systemClock } from '../../platform/clock.ts';
import { openDatabase, type Database, type DatabaseTarget } from '../../platform/database/index.ts';
import { openLossyWire, type LossyWire } from '../../platform/group-commit/lossy-wire.testing.ts';
import { createLog } from '../../platform/log.ts';
import { createEngine, type Engine, type EngineOptions } from './engine.ts';
import type { Attempt, Executor, Outcome, Repeatable } from './outcome.ts';

/** One execution: the executor's own record, independent of the database. */
export interface Execution {
  readonly call: string;
  readonly attempt: number;
  readonly epoch: number;
  readonly action: string;
  readonly node: string;
  readonly signal: AbortSignal;
  outcome?: Outcome;
  settle(outcome: Outcome): void;
}

const GONE: Outcome = { kind: 'unknown', error: { code: 'gone', message: 'Gone.', retry: 'transient' } };

/** What outside systems saw, for all nodes together. */
export class Outside {
  readonly executions: Execution[] = [];
  readonly #watchers = new Set<() => void>();

  open(call?: string): Execution[] {
    return this.executions.filter((one) => !one.outcome && (call ?? one.call) === one.call);
  }

  of(call: string): Execution[] {
    return this.executions.filter((one) => one.call === call);
  }

  /** Resolves when something was started or has ended and `holds`. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#watchers.add(resolve);
      const timer = setTimeout(() => reject(new Error('Nothing happened for 20 seconds.')), 20_000);
      await promise.finally(() => clearTimeout(timer));
    }
  }

  changed(): void {
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }

  /** Actions are named by what they say of repetition: `test/never`. */
  executorOf(node: string, policy: Exclude<ReturnType<Executor['about']>, undefined>['policy']): Executor {
    return {
      about: (action) => ({
        repeatable: (action.split('/')[1] ?? 'never') as Repeatable,
        ...(policy && { policy }),
      }),
      execute: (attempt) => this.#begin(attempt, node),
      probe: async ({ call }) =>
        this.of(call.id).length > 0
          ? { kind: 'succeeded', output: '"probed"' }
          : { kind: 'failed', error: { code: 'it_did_not', message: 'It did not.', retry: 'transient' } },
    };
  }

  #begin({ call, signal }: Attempt, node: string): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const execution: Execution = {
      call: call.id,
      attempt: call.attempt,
      epoch: call.epoch,
      action: call.action,
      node,
      signal,
      settle: (outcome) => {
        execution.outcome ??= outcome;
        resolve(execution.outcome);
        this.changed();
      },
    };
    signal.addEventListener('abort', () => {
      if (signal.reason === 'draining') execution.settle(GONE);
    });
    this.executions.push(execution);
    this.changed();
    return promise;
  }
}

/** A node: its engine, and the wire that is its only way to the database. */
export interface Node {
  readonly name: string;
  readonly engine: Engine;
  readonly wire: LossyWire;
  /** Dies at once: nothing it says or hears arrives any more. */
  crash(): Promise<void>;
}

export const LEASE = 300;

export async function startNode(
  t: Scope,
  target: DatabaseTarget,
  outside: Outside,
  name: string,
  more: Partial<EngineOptions> = {},
): Promise<Node> {
  const wire = await openLossyWire(t, target);
  const log = createLog({ level: 'silent' });
  const database: Database = openDatabase(wire.target, log);
  const engine = createEngine({
    database,
    clock: systemClock,
    log,
    registry: new Registry(),
    executor: outside.executorOf(name, { attempts: 4, delay: 10, maxDelay: 20 }),
    lease: LEASE,
    sweepEvery: 20,
    ...more,
  });
  await engine.start();
  let over = false;
  const end = async (grace: number): Promise<void> => {
    if (over) return;
    over = true;
    const drained = engine.drain(grace).catch(() => {}); // its database may be out of reach
    for (const one of outside.open()) if (one.node === name) one.settle(GONE);
    await drained;
    await database.close();
  };
  t.after(() => end(1_000));
  return {
    name,
    engine,
    wire,
    crash() {
      wire.cut();
      return end(0);
    },
  };
}
