import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { HubError } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { Batch, Member } from '../bus/bus.ts';
import type { CloudEvent, LoggedEvent, Position } from '../event.ts';
import { wants, type AsyncListener } from './listener.ts';
import * as parking from './parked-store.ts';
import { DEFAULT_RETRY, pauseAfter, pauseOf, type RetryPolicy } from './policy.ts';

export interface ConsumerParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly topic: string;
  readonly member: Member;
  readonly listener: AsyncListener;
}

/** Events of one fetch. What a node that dies has handled and not committed comes again, so it is kept small. */
const FETCH = 200;

/** Keys, and events, that may wait aside in the partitions of one member before it takes nothing new. */
const MOST_KEYS = 1_000;
const MOST_PARKED = 10_000;

/** Milliseconds: without any signal; while something stands behind an open transaction; after a fault; between fetches. */
const POLL = 5_000;
const HELD = 20;
const FAULT = 1_000;
const LINGER = 10;

/** A partition that waits until its next event is taken. */
interface Block {
  readonly attempts: number;
  readonly until: number;
}

/**
 * Gives a listener the events of the partitions its member owns: those of a partition one after the other, partitions
 * side by side.
 *
 * 1. A position is stored after what lies before it was taken, or put aside durably: nothing is lost.
 * 2. An event whose key waits aside waits behind it: the order of a key holds over failures.
 */
export class Consumer {
  readonly #parts: ConsumerParts;
  readonly #name: parking.ConsumerName;
  readonly #retry: RetryPolicy;
  readonly #stopping = new AbortController();
  readonly #ending = new AbortController();
  readonly #blocked = new Map<number, Block>();
  /** Whether this round put something aside. */
  #parkedNow = false;
  #done: Promise<void> = Promise.resolve();

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
    this.#name = { topic: parts.topic, consumer: parts.listener.name };
    this.#retry = { ...DEFAULT_RETRY, ...parts.listener.retry };
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Takes nothing new; what is under way may end within `graceMs`, and is told to stop then. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const end = this.#parts.clock.after(graceMs, () => this.#ending.abort());
    await this.#done;
    end();
    await this.#parts.member.leave();
  }

  async #run(): Promise<void> {
    const { clock, log, member, listener } = this.#parts;
    while (!this.#stopping.signal.aborted)
      try {
        const pause = await this.#round();
        if (pause > 0) await member.wait(pause, this.#stopping.signal);
      } catch (err) {
        log.warn('a consumer could not go on and tries again', { err, consumer: listener.name });
        await clock.sleep(FAULT, this.#stopping.signal);
      }
  }

  /** Milliseconds after which another round is due in any case; 0 when there is more at once. */
  async #round(): Promise<number> {
    const { clock, database, member } = this.#parts;
    const { partitions } = member;
    this.#parkedNow = false;
    const parked = await database.acrossTenants((tx) => parking.parkedIn(tx, this.#name, partitions));
    if (parked.nextDue === 0) await this.#retryHeads(partitions);
    if (parked.count >= MOST_PARKED || sizeOf(parked.keys) >= MOST_KEYS) {
      await clock.sleep(Math.min(POLL, parked.nextDue ?? POLL), this.#stopping.signal);
      return 0;
    }
    const fetched = await member.fetch(FETCH, this.#waiting(partitions));
    // Of a partition that came only now nobody looked which keys wait aside: it has its turn in the next round.
    const [known, fresh] = [true, false].map((wanted) =>
      fetched.batches.filter(({ partition }) => partitions.includes(partition) === wanted),
    ) as [Batch[], Batch[]];
    for (const { partition } of fresh) member.rewind(partition);
    await this.#takeAll(known, parked.keys);
    if (fetched.more || fresh.length > 0 || parked.nextDue === 0) return 0;
    if (fetched.batches.length > 0) await clock.sleep(LINGER, this.#stopping.signal);
    const untils = [...this.#blocked.values()].map(({ until }) => Math.max(1, until - clock.now()));
    const tryAgain = this.#parkedNow ? this.#retry.delay : POLL;
    return Math.min(fetched.held ? HELD : POLL, parked.nextDue ?? POLL, tryAgain, ...untils);
  }

  /** Partitions whose next attempt is not due yet. Those that went to another member are its own matter. */
  #waiting(partitions: readonly number[]): Set<number> {
    const now = this.#parts.clock.now();
    for (const partition of this.#blocked.keys())
      if (!partitions.includes(partition)) this.#blocked.delete(partition);
    return new Set([...this.#blocked].filter(([, { until }]) => until > now).map(([partition]) => partition));
  }

  async #takeAll(batches: readonly Batch[], parked: ReadonlyMap<number, ReadonlySet<string>>): Promise<void> {
    const { member } = this.#parts;
    const read = new Map<number, Position>();
    const takers = batches.map(async (batch) => {
      const done = await this.#take(batch, new Set(parked.get(batch.partition)));
      if (done) read.set(batch.partition, done);
    });
    const results = await Promise.allSettled(takers);
    let stored: ReadonlySet<number> = new Set();
    try {
      if (read.size > 0) stored = await member.commit(read);
    } finally {
      for (const { partition, through } of batches)
        if (!stored.has(partition) || read.get(partition) !== through) member.rewind(partition);
    }
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Takes what it can of a batch; how far it came, undefined when nowhere. */
  async #take({ partition, events, through }: Batch, aside: Set<string>): Promise<Position | undefined> {
    const { listener, member } = this.#parts;
    let done: Position | undefined;
    for (const logged of events) {
      if (this.#stopping.signal.aborted || !member.owns(partition)) return done;
      if (wants(listener, logged.event) && !(await this.#takeOne(partition, logged, aside))) return done;
      done = logged.at;
    }
    return through;
  }

  /** Whether the partition may go on. */
  async #takeOne(partition: number, logged: LoggedEvent, aside: Set<string>): Promise<boolean> {
    const { listener, database } = this.#parts;
    const key = logged.event.partitionkey;
    const park = (tried: Parameters<typeof parking.park>[4]) => {
      this.#parkedNow = true;
      return database.acrossTenants((tx) => parking.park(tx, this.#name, partition, logged, tried));
    };
    if (aside.has(key)) {
      await park({ attempts: 0, pause: 0 });
      return true;
    }
    const code = await this.#attempt(logged.event);
    if (code === undefined) {
      if (this.#blocked.delete(partition)) await this.#parts.member.block(partition, undefined);
      return true;
    }
    if (this.#ending.signal.aborted) return false;
    if (listener.onFailure === 'block') {
      await this.#block(partition, code);
      return false;
    }
    const pause = pauseAfter(this.#retry, 1, Math.random());
    await park({ attempts: 1, pause, code });
    if (pause === undefined) this.#gaveUp(logged.event, code);
    else aside.add(key);
    return true;
  }

  async #block(partition: number, code: string): Promise<void> {
    const attempts = (this.#blocked.get(partition)?.attempts ?? 0) + 1;
    const pause = pauseOf(this.#retry, Math.min(attempts, this.#retry.attempts), Math.random());
    this.#blocked.set(partition, { attempts, until: this.#parts.clock.now() + pause });
    if (attempts >= this.#retry.attempts) await this.#parts.member.block(partition, code);
  }

  /** Tries what waits aside and is due; the event behind one that is taken or given up is due in the next round. */
  async #retryHeads(partitions: readonly number[]): Promise<void> {
    const { database, member } = this.#parts;
    const heads = await database.acrossTenants((tx) => parking.dueHeads(tx, this.#name, partitions, FETCH));
    const lanes = Map.groupBy(heads, ({ partition }) => partition);
    await Promise.all(
      [...lanes].map(async ([partition, lane]) => {
        for (const head of lane)
          if (!this.#stopping.signal.aborted && member.owns(partition)) await this.#retryHead(head);
      }),
    );
  }

  async #retryHead(head: parking.Head): Promise<void> {
    const { database } = this.#parts;
    const code = await this.#attempt(head.event);
    if (code === undefined) {
      await database.acrossTenants((tx) => parking.unpark(tx, this.#name, head.at));
      return;
    }
    if (this.#ending.signal.aborted) return;
    const pause = pauseAfter(this.#retry, head.attempts + 1, Math.random());
    await database.acrossTenants((tx) => parking.parkAgain(tx, this.#name, head, { pause, code }));
    if (pause === undefined) this.#gaveUp(head.event, code);
  }

  #gaveUp({ tenant }: CloudEvent, code: string): void {
    const { log, listener } = this.#parts;
    log.error('an event was given up', { consumer: listener.name, tenant, code });
  }

  /** Undefined when the event was taken; else a code for why not, free of what the error says. */
  async #attempt(event: CloudEvent): Promise<string | undefined> {
    const { clock, listener, log } = this.#parts;
    const late = new AbortController();
    const signal = AbortSignal.any([late.signal, this.#ending.signal]);
    const over = Promise.withResolvers<string>();
    signal.addEventListener('abort', () => over.resolve(late.signal.aborted ? 'timeout' : 'stopped'), {
      once: true,
    });
    const stop = clock.after(this.#retry.attemptTimeout, () => late.abort());
    try {
      return await Promise.race([over.promise, listener.handle(event, signal).then(() => undefined)]);
    } catch (err) {
      log.warn('a listener could not take an event', { err, consumer: listener.name, tenant: event.tenant });
      return err instanceof HubError ? err.code : 'failed';
    } finally {
      stop();
    }
  }
}

function sizeOf(keys: ReadonlyMap<number, ReadonlySet<string>>): number {
  return [...keys.values()].reduce((sum, set) => sum + set.size, 0);
}
