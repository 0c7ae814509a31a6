import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Signal } from '../platform/signal/index.ts';
import type { Ended } from './engine/index.ts';
import type { End } from './result.ts';
import { readEnd } from './store.ts';

/** Waiting for the ends of calls. */
export interface Ends {
  /** Told of every end this node wrote. */
  told(ended: Ended): void;
  /**
   * How the call ends; undefined when it has not within so many milliseconds, the client is gone, this node stops or
   * bears no more waiting. `here`: the call runs on this node.
   */
  wait(call: AwaitedCall, ms: number, gone: AbortSignal): Promise<End | undefined>;
  /** Lets everybody who waits go, and nobody wait any more. */
  close(): void;
}

interface AwaitedCall {
  readonly tenant: string;
  readonly id: string;
  readonly here: boolean;
}

export interface EndsOptions {
  readonly signal: Pick<Signal, 'send' | 'on'>;
  readonly clock: Clock;
  readonly database: Database;
}

/** Milliseconds between looks at a call that nothing was heard of. The first end of a remote call may slip between. */
const LOOK_SOON = 250;
const LOOK_AGAIN = 5_000;

/** Milliseconds another node's waiting is remembered; it is said again with every look. */
const REMEMBERED = 3 * LOOK_AGAIN;

/** Calls waited for at most, here and elsewhere (promise 8). */
const MOST = 10_000;

interface Waiter {
  readonly tenant: string;
  readonly settle: (end: End | undefined) => void;
}

/**
 * Ends are heard of without asking the database when they are written here. A node where somebody waits for a call
 * that runs elsewhere says so, and whoever ends the call then tells it. Both are hints: a slow look finds what was
 * not heard.
 */
export function createEnds({ signal, clock, database }: EndsOptions): Ends {
  const waiters = new Map<string, Set<Waiter>>();
  /** Calls some node waits for, and until when that counts; the oldest first. */
  const elsewhere = new Map<string, number>();
  let waiting = 0;
  let closed = false;

  signal.on('call.awaited', { heard: (ids) => ids.forEach(remember), missed: () => {} });
  signal.on('call.ended', { heard: (ids) => ids.forEach(lookFor), missed: () => {} });

  function remember(id: string): void {
    elsewhere.delete(id);
    elsewhere.set(id, clock.now() + REMEMBERED);
    for (const [oldest, until] of elsewhere) {
      if (until > clock.now() && elsewhere.size <= MOST) break;
      elsewhere.delete(oldest);
    }
  }

  function lookFor(id: string): void {
    for (const { tenant, settle } of waiters.get(id) ?? [])
      database
        .asTenant(tenant, (tx) => readEnd(tx, tenant, id))
        .then(
          (end) => end && settle(end),
          () => {}, // the next look finds it
        );
  }

  function enter(id: string, waiter: Waiter): () => void {
    const same = waiters.get(id) ?? new Set();
    waiters.set(id, same.add(waiter));
    waiting += 1;
    return () => {
      waiting -= 1;
      same.delete(waiter);
      if (same.size === 0) waiters.delete(id);
    };
  }

  /** Looks now and then until `over`, and says each time that somebody waits. */
  async function keepLooking({ id, here }: AwaitedCall, over: AbortSignal): Promise<void> {
    const pauses = here ? [LOOK_AGAIN] : [0, LOOK_SOON];
    for (;;) {
      await clock.sleep(pauses.shift() ?? LOOK_AGAIN, over);
      if (over.aborted) return;
      signal.send('call.awaited', id);
      lookFor(id);
    }
  }

  return {
    told({ call, state, output, error }) {
      if (elsewhere.delete(call.id)) signal.send('call.ended', call.id);
      for (const { settle } of waiters.get(call.id) ?? [])
        settle({ id: call.id, state, output, error, context: call.details.context });
    },
    async wait(call, ms, gone) {
      if (closed || waiting >= MOST || gone.aborted) return undefined;
      const over = new AbortController();
      const { promise, resolve } = Promise.withResolvers<End | undefined>();
      const letGo = (): void => resolve(undefined);
      const leave = enter(call.id, { tenant: call.tenant, settle: resolve });
      const stop = clock.after(ms, letGo);
      gone.addEventListener('abort', letGo);
      void keepLooking(call, over.signal);
      try {
        return await promise;
      } finally {
        over.abort();
        gone.removeEventListener('abort', letGo);
        stop();
        leave();
      }
    },
    close() {
      closed = true;
      for (const same of waiters.values()) for (const { settle } of same) settle(undefined);
    },
  };
}
