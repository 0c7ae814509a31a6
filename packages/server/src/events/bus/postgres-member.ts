import type { Clock, StopTimer } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { newId } from '../../platform/ids.ts';
import type { Log } from '../../platform/log.ts';
import { comparePositions, furthest, type LoggedEvent, type Position } from '../event.ts';
import type { Wake } from '../wake.ts';
import type { Fetched, Member } from './bus.ts';
import * as store from './postgres-store.ts';

export interface MemberParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly wake: Wake;
  /** Milliseconds. A member that has not renewed for so long loses its partitions to others. */
  readonly lease: number;
}

/** A partition this member owns. */
interface Share {
  readonly epoch: number;
  /** As the database has it. */
  stored: Position;
  /** Up to where it was fetched. */
  fetched: Position;
  /** Whether something of it was fetched and is not committed. */
  outstanding: boolean;
}

/**
 * A member of a group that reads the log in PostgreSQL.
 *
 * 1. What it owns it owns under an epoch; a position is stored only under the epoch it was read under.
 * 2. It stops acting on a partition when its lease may have run out by its own clock, without asking.
 */
export class PostgresMember implements Member {
  readonly #parts: MemberParts;
  readonly #group: store.Group;
  readonly #id = newId();
  readonly #shares = new Map<number, Share>();
  #validUntil = 0;
  #most = 0;
  #mark = 0;
  #over = false;
  #stop: StopTimer = () => {};
  #beating: Promise<void> = Promise.resolve();
  /** Aborts when the partitions of this member change. */
  #change = new AbortController();

  constructor(parts: MemberParts, group: store.Group) {
    this.#parts = parts;
    this.#group = group;
  }

  get partitions(): readonly number[] {
    return [...this.#shares.keys()];
  }

  owns(partition: number): boolean {
    return !this.#over && this.#shares.has(partition) && this.#parts.clock.now() < this.#validUntil;
  }

  start(): Promise<void> {
    return this.#beat();
  }

  async fetch(limit: number, without: ReadonlySet<number> = new Set()): Promise<Fetched> {
    this.#mark = this.#parts.wake.mark;
    this.#change = new AbortController();
    const wanted = [...this.#shares].filter(([partition]) => !without.has(partition) && this.owns(partition));
    if (wanted.length === 0) return { batches: [], more: false, held: false };
    const after = wanted.map(([partition, { fetched }]) => ({ partition, position: fetched }));
    const scan = await this.#parts.database.acrossTenants((tx) =>
      store.scanLog(tx, this.#group.topic, after, limit),
    );
    const found = new Map<number, LoggedEvent[]>();
    for (const { partition, logged } of scan.events)
      found.set(partition, [...(found.get(partition) ?? []), logged]);
    for (const [partition, share] of wanted) {
      share.fetched = furthest(share.fetched, scan.through);
      share.outstanding ||= found.has(partition);
    }
    const batches = wanted
      .filter(([partition, share]) => found.has(partition) && this.#shares.get(partition) === share)
      .map(([partition, share]) => ({
        partition,
        events: found.get(partition) ?? [],
        through: share.fetched,
      }));
    return { batches, more: scan.more, held: scan.held };
  }

  wait(ms: number, signal: AbortSignal): Promise<void> {
    return this.#parts.wake.wait(this.#mark, ms, AbortSignal.any([signal, this.#change.signal]));
  }

  async commit(read: ReadonlyMap<number, Position>): Promise<ReadonlySet<number>> {
    const owned = [...read].flatMap(([partition, position]) => {
      const share = this.#shares.get(partition);
      return share ? [{ partition, epoch: share.epoch, position }] : [];
    });
    if (owned.length === 0) return new Set();
    const done = new Set(await this.#store(owned, false));
    for (const { partition, epoch, position } of owned) {
      const share = this.#shares.get(partition);
      if (share?.epoch !== epoch) continue; // it went and came again meanwhile
      if (!done.has(partition)) this.#shares.delete(partition);
      else if (comparePositions(position, share.fetched) >= 0) share.outstanding = false;
      share.stored = position;
    }
    return done;
  }

  rewind(partition: number): void {
    const share = this.#shares.get(partition);
    if (share) [share.fetched, share.outstanding] = [share.stored, false];
  }

  async block(partition: number, code: string | undefined): Promise<void> {
    const share = this.#shares.get(partition);
    if (!share) return;
    const owned = { partition, epoch: share.epoch, position: share.stored };
    await this.#parts.database.acrossTenants((tx) => store.storeBlock(tx, this.#group, owned, code));
  }

  async leave(): Promise<void> {
    this.#over = true;
    this.#stop();
    await this.#beating;
    this.#shares.clear();
    await this.#parts.database
      .acrossTenants((tx) => store.removeMember(tx, this.#group, this.#id))
      .catch((err: unknown) => this.#parts.log.warn('a consumer left its leases to run out', { err }));
  }

  #store(owned: readonly store.Owned[], release: boolean): Promise<number[]> {
    return this.#parts.database.acrossTenants((tx) =>
      store.storePositions(tx, this.#group, this.#id, owned, release),
    );
  }

  /** Renews, gives back what is too much, takes what is free; and again before the lease runs out. */
  async #beat(): Promise<void> {
    const { clock, log, lease } = this.#parts;
    try {
      await this.#share();
    } catch (err) {
      log.warn('the leases of a consumer could not be renewed', { err, consumer: this.#group.consumer });
    } finally {
      if (!this.#over)
        this.#stop = clock.after(lease / 4, () => {
          this.#beating = this.#beat();
        });
    }
  }

  async #share(): Promise<void> {
    const { database, clock, lease } = this.#parts;
    const sent = clock.now();
    const { living, owned } = await database.acrossTenants((tx) =>
      store.renewMember(tx, this.#group, this.#id, lease),
    );
    this.#keep(owned);
    this.#validUntil = sent + lease;
    this.#most = Math.ceil(this.#group.topic.partitions / Math.max(living, 1));
    await this.#settle();
    const room = this.#most - this.#shares.size;
    if (room <= 0) return;
    const asked = clock.now();
    const claimed = await database.acrossTenants((tx) =>
      store.claimPartitions(tx, this.#group, this.#id, lease, room),
    );
    // What was claimed lasts at least as long as what was renewed before.
    if (asked < this.#validUntil) for (const one of claimed) this.#shares.set(one.partition, shareOf(one));
    if (claimed.length > 0) this.#change.abort();
  }

  /** Drops what others have now; what nobody else took stays as it is, since its epoch is the same. */
  #keep(owned: readonly store.Owned[]): void {
    const epochs = new Map(owned.map(({ partition, epoch }) => [partition, epoch]));
    for (const [partition, { epoch }] of this.#shares)
      if (epochs.get(partition) !== epoch) this.#shares.delete(partition);
    // A claim whose answer was lost.
    for (const one of owned)
      if (!this.#shares.has(one.partition)) this.#shares.set(one.partition, shareOf(one));
  }

  /** Stores what was looked through without finding anything, and gives back what is too much, if nothing of it is under way. */
  async #settle(): Promise<void> {
    const idle = [...this.#shares].filter(([, share]) => !share.outstanding);
    const surplus = idle.slice(0, Math.max(0, this.#shares.size - this.#most));
    const moved = idle
      .slice(surplus.length)
      .filter(([, share]) => comparePositions(share.fetched, share.stored) > 0);
    for (const [partition] of surplus) this.#shares.delete(partition);
    if (surplus.length > 0) await this.#store(surplus.map(asOwned), true);
    const stored = moved.map(asOwned);
    if (stored.length > 0) await this.#store(stored, false);
    // A fetch that ran meanwhile may have gone further.
    for (const { partition, epoch, position } of stored) {
      const share = this.#shares.get(partition);
      if (share?.epoch === epoch) share.stored = position;
    }
  }
}

function asOwned([partition, { epoch, fetched }]: readonly [number, Share]): store.Owned {
  return { partition, epoch, position: fetched };
}

function shareOf({ epoch, position }: store.Owned): Share {
  return { epoch, stored: position, fetched: position, outstanding: false };
}
