import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import type { Log } from '../../platform/log.ts';
import type { Lease } from './lease.ts';
import type { Recorder } from './recorder.ts';
import type { Ownership, Runner } from './runner.ts';
import * as store from './store.ts';
import type { Claimed, Owned } from './store.ts';

export interface ReconcilerParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly lease: Lease;
  /** Milliseconds between looks. */
  readonly leaseDuration: number;
  readonly runner: Runner;
  readonly recorder: Recorder;
  readonly takeOver: (claim: Claimed) => Promise<void>;
}

/**
 * Compares what this process works on with what the database says it owns.
 *
 * 1. A call that is owned and that nobody here works on is taken over like a dead node's: its claim, or the word that
 *    it was written, got lost on the way. No other node would ever adopt it, because this one lives.
 * 2. An attempt of a call that this node does not own any more is aborted.
 */
export class Reconciler {
  readonly #parts: ReconcilerParts;
  #next = 0;
  /** What was idle the last time, by id and epoch: a hand-over takes a moment, so it counts only when seen twice. */
  #idle = new Set<string>();

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  async look(): Promise<void> {
    const { database, clock, lease, leaseDuration, runner } = this.#parts;
    if (clock.now() < this.#next) return;
    this.#next = clock.now() + leaseDuration;
    const before = runner.running;
    const owned = await database.acrossTenants((tx) => store.ownedBy(tx, lease.node));
    this.#stopLost(before, owned);
    await this.#takeOverIdle(owned.filter((one) => this.#isIdle(one)));
  }

  #stopLost(before: readonly Ownership[], owned: readonly Owned[]): void {
    const ours = new Set(owned.map(nameOf));
    for (const one of before) if (!ours.has(nameOf(one))) this.#parts.runner.abandon(one);
  }

  #isIdle(one: Owned): boolean {
    const { runner, recorder } = this.#parts;
    return !runner.isRunning(one) && !recorder.isBehind(one.id);
  }

  async #takeOverIdle(idle: readonly Owned[]): Promise<void> {
    const { database, log, takeOver } = this.#parts;
    const again = idle.filter((one) => this.#idle.has(nameOf(one)));
    this.#idle = new Set(idle.map(nameOf));
    for (const { tenant, id, epoch } of again) {
      const claim = await database.acrossTenants((tx) => store.unfinished(tx, tenant, id));
      if (claim?.call.epoch !== epoch) continue;
      log.warn('a call of this node had nobody working on it', { call: id });
      await takeOver(claim).catch((err: unknown) =>
        log.error('a call could not be taken over', { err, call: id }),
      );
    }
  }
}

function nameOf({ id, epoch }: Ownership): string {
  return `${id} ${epoch}`;
}
