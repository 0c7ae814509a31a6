import type { Clock, StopTimer } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import type { Log } from '../../platform/log.ts';
import { endLease, registerNode, renewLease } from './store.ts';

export interface LeaseOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds. A node that has not renewed for so long is given up by the others. */
  readonly duration: number;
  /** No other hub can be alive on this database: what others own may be adopted at once. */
  readonly sole: boolean;
}

/**
 * This node's lease, by the database's clock.
 *
 * Invariant: `steady` only when this node could renew for one whole lease without a gap. After an outage every lease
 * looks lapsed, and everybody gets the chance to renew before anybody adopts (engine rule 5).
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #onLiving: (nodes: number) => void;
  #node = 0;
  #renewedAt = 0;
  #steadySince = 0;
  #stop: StopTimer = () => {};
  #stopped = false;
  #renewal: Promise<void> = Promise.resolve();

  constructor(options: LeaseOptions, onLiving: (nodes: number) => void) {
    this.#options = options;
    this.#onLiving = onLiving;
  }

  /** The number of this node. It changes when the others gave the node up. */
  get node(): number {
    return this.#node;
  }

  get sole(): boolean {
    return this.#options.sole;
  }

  get steady(): boolean {
    const { clock, duration, sole } = this.#options;
    // The second: a renewal that ends an outage may be committed before it is known here.
    const now = clock.now();
    return sole || (now - this.#steadySince >= duration && now - this.#renewedAt <= duration);
  }

  async start(): Promise<void> {
    const { database, clock, duration, sole } = this.#options;
    this.#node = await database.acrossTenants((tx) => registerNode(tx, duration));
    if (sole) await database.acrossTenants((tx) => endLease(tx, 'all others', this.#node));
    this.#renewedAt = this.#steadySince = clock.now();
    // A node that joins others begins with its portion of the limits.
    await this.#renew();
  }

  /** Lets the others have what this node still owns. */
  async end(): Promise<void> {
    this.#stopped = true;
    this.#stop();
    await this.#renewal;
    const { database, log } = this.#options;
    await database
      .acrossTenants((tx) => endLease(tx, this.#node, this.#node))
      .catch((err: unknown) => log.warn('the lease of this node was left to run out', { err }));
  }

  #arm(): void {
    const { clock, duration } = this.#options;
    if (!this.#stopped)
      this.#stop = clock.after(duration / 4, () => {
        this.#renewal = this.#renew();
      });
  }

  async #renew(): Promise<void> {
    const { database, clock, duration, log } = this.#options;
    try {
      const living = await database.acrossTenants((tx) => renewLease(tx, this.#node, duration));
      if (living === undefined) this.#node = await database.acrossTenants((tx) => registerNode(tx, duration));
      else this.#onLiving(living);
      const now = clock.now();
      if (living === undefined || now - this.#renewedAt > duration) this.#steadySince = now;
      this.#renewedAt = now;
    } catch (err) {
      log.warn('the lease of this node could not be renewed', { err, node: String(this.#node) });
    } finally {
      this.#arm();
    }
  }
}
