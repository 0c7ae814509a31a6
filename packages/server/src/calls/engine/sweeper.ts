import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import type { Log } from '../../platform/log.ts';
import type { EndState } from './call.ts';
import type { Lease } from './lease.ts';
import { foldUsage } from './quota.ts';
import { Reconciler } from './reconciler.ts';
import type { Recorder } from './recorder.ts';
import type { Runner } from './runner.ts';
import type { Slots } from './slots.ts';
import * as store from './store.ts';
import type { Claimed } from './store.ts';

export interface SweeperParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly slots: Slots;
  readonly lease: Lease;
  readonly leaseDuration: number;
  readonly runner: Runner;
  readonly recorder: Recorder;
  /** Milliseconds between rounds when nobody wakes the sweeper. */
  readonly every: number;
}

/** Rows one statement takes at most. */
const MOST = 500;

/** Lanes one claim goes round. */
const LANES = 64;

/** Milliseconds a group's continuation may take on the node that emptied it, before another looks after it. */
const GROUP_GRACE = 5_000;

/**
 * Takes over what nobody owns: ready calls, due retries, waits and deadlines that ran out, calls of dead nodes. In the
 * normal case there is nothing to find: calls are handed over in memory.
 */
export class Sweeper {
  readonly #parts: SweeperParts;
  #wake = Promise.withResolvers<void>();
  #stopped = false;
  #done: Promise<void> = Promise.resolve();
  /** The last lane that had its turn. */
  #lane = -1;
  /** Claims in a row of which nothing could start. */
  #fruitless = 0;
  /** Whether there may be ready calls that nobody owns. Every round looks, so that those of other nodes are found. */
  #backlog = true;
  /** Something came to the backlog while a claim was under way, which may not have seen it. */
  #made = false;
  #nextKeep = 0;
  readonly #reconciler: Reconciler;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
    this.#reconciler = new Reconciler({ ...parts, takeOver: (claim) => this.#takeOver(claim) });
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Something was written that nobody owns. */
  backlogMade(): void {
    this.#backlog = true;
    this.#made = true;
    this.#wake.resolve();
  }

  /** A slot came free. */
  roomMade(): void {
    if (this.#backlog) this.#wake.resolve();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake.resolve();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { clock, every, log } = this.#parts;
    let nextRound = 0;
    while (!this.#stopped) {
      this.#wake = Promise.withResolvers<void>();
      try {
        if (clock.now() >= nextRound) {
          nextRound = clock.now() + every;
          this.#backlog = true;
          await this.#round();
        }
        while ((await this.#claim()) && !this.#stopped);
      } catch (err) {
        log.warn('the sweep failed and is tried again', { err });
        nextRound = 0;
        await clock.sleep(every);
      }
      await this.#sleep(nextRound - clock.now());
    }
  }

  async #sleep(ms: number): Promise<void> {
    const nap = new AbortController();
    await Promise.race([this.#wake.promise, this.#parts.clock.sleep(Math.max(ms, 1), nap.signal)]);
    nap.abort();
  }

  async #round(): Promise<void> {
    const { database, lease, runner } = this.#parts;
    while ((await database.acrossTenants((tx) => store.promoteDue(tx, MOST))) === MOST);
    await this.#expire();
    await this.#adopt();
    const cancelling = await database.acrossTenants((tx) => store.cancellingOf(tx, lease.node));
    for (const id of cancelling) runner.cancel(id);
    await this.#reconciler.look();
    await this.#continueForgotten();
    await this.#keepHouse();
  }

  /** Claims what there is room for; true when there may be more of both. */
  async #claim(): Promise<boolean> {
    const { database, slots, lease } = this.#parts;
    const { room } = slots;
    if (room <= 0 || !this.#backlog) return false;
    const narrow = slots.narrowLanes(room);
    this.#made = false;
    const claimed = await database.acrossTenants((tx) =>
      store.claimReady(tx, {
        node: lease.node,
        room,
        lanes: LANES,
        narrow,
        after: this.#lane,
      }),
    );
    // A lane that is full may have a backlog; an attempt of it that ends makes room and wakes this up.
    const full = narrow.some((lane) => lane.room <= 0 && lane.running > 0);
    if (claimed.length === 0 && this.#lane < 0 && !this.#made) {
      this.#backlog = full;
      slots.nothingQueued();
    }
    const more = claimed.length >= room || new Set(claimed.map(({ lane }) => lane)).size >= LANES;
    // Past the last lane the next turn begins with the first.
    const wrapped = this.#lane >= 0 && !more;
    this.#lane = more ? (claimed.at(-1)?.lane ?? -1) : -1;
    const started = await this.#startAll(claimed);
    this.#fruitless = started > 0 ? 0 : this.#fruitless + 1;
    return claimed.length > 0 ? slots.room > 0 && this.#fruitless < LANES : wrapped;
  }

  /** Starts what was claimed; what finds no slot of its tenant or target goes back. How many were started. */
  async #startAll(claimed: readonly Claimed[]): Promise<number> {
    const { database, slots, runner } = this.#parts;
    const back: Claimed[] = [];
    for (const claim of claimed) {
      slots.claimed(claim.call.tenant, claim.call.target);
      const slot = slots.take(claim.call.tenant, claim.call.target);
      if (slot) runner.start(claim.call, slot, claim.reason === 'probe');
      else {
        slots.queued(claim.call.tenant, claim.call.target);
        back.push(claim);
      }
    }
    if (back.length > 0)
      await database.acrossTenants((tx) =>
        store.handBack(
          tx,
          back.map(({ call }) => call),
        ),
      );
    return claimed.length - back.length;
  }

  async #expire(): Promise<void> {
    const { database, recorder } = this.#parts;
    const over = await database.acrossTenants((tx) => store.overdue(tx, MOST));
    await this.#each(over, ({ call }) => recorder.end(call, 'expired'));
  }

  async #adopt(): Promise<void> {
    const { database, lease, leaseDuration, log } = this.#parts;
    if (!lease.steady) return;
    const adopted = await database.acrossTenants((tx) =>
      store.adopt(tx, { node: lease.node, lease: lease.sole ? 0 : leaseDuration, most: MOST }),
    );
    if (adopted.length > 0) log.warn('calls of a dead node were adopted', { count: adopted.length });
    await this.#each(adopted, (claim) => this.#takeOver(claim));
  }

  /** One call's fault must not keep the sweep from the others. */
  async #each(claims: readonly Claimed[], work: (claim: Claimed) => Promise<unknown>): Promise<void> {
    const settled = await Promise.allSettled(claims.map(work));
    for (const [index, result] of settled.entries())
      if (result.status === 'rejected')
        this.#parts.log.error('a call could not be swept', {
          err: result.reason,
          call: claims[index]?.call.id ?? '',
        });
  }

  async #takeOver({ call, state, reason, crashes }: Claimed): Promise<void> {
    const { runner, recorder } = this.#parts;
    if (state === 'continuing') recorder.continueRun(call, reason as EndState);
    else if (state === 'cancelling') await recorder.end(call, 'cancelled');
    else await runner.recordLost(call, crashes);
  }

  async #continueForgotten(): Promise<void> {
    const { database, recorder } = this.#parts;
    const groups = await database.acrossTenants((tx) => store.forgottenGroups(tx, GROUP_GRACE));
    for (const { id, tenant } of groups) recorder.continueGroup(id, tenant);
  }

  async #keepHouse(): Promise<void> {
    const { clock, database } = this.#parts;
    if (clock.now() < this.#nextKeep) return;
    this.#nextKeep = clock.now() + 60_000;
    await database.acrossTenants(store.purgeIdempotencyKeys);
    await database.acrossTenants(store.forgetNodes);
    await database.acrossTenants(foldUsage);
  }
}
