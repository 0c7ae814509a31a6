import type { Pool } from 'undici';
import type { Clock } from '../clock.ts';
import { egressErrors, notSent } from './errors.ts';

/** Bounds of what is kept open. Times in milliseconds. */
export interface PoolBounds {
  /** Origins with connections at the same time; beyond it the one unused for longest is closed. */
  readonly origins: number;
  readonly connectionsPerOrigin: number;
  /** A pool nobody used for this long is closed. */
  readonly idleMs: number;
  /** A connection older than this is replaced, and its host resolved and checked anew. */
  readonly lifeMs: number;
}

export interface Pools {
  /**
   * The pool of a key, made by `make` when there is none.
   *
   * @throws egress_aborted after `close`
   */
  get(key: string, make: () => Pool): Pool;
  /** Ends every connection at once. */
  close(): Promise<void>;
}

/** Keeps pools by key. Closing one lets its running requests end. */
export function createPools(clock: Clock, bounds: PoolBounds): Pools {
  const entries = new Map<string, { readonly pool: Pool; usedAt: number }>();
  const closing = new Set<Pool>();
  let stopSweep: (() => void) | undefined;
  let closed = false;

  function close(key: string, pool: Pool): void {
    entries.delete(key);
    closing.add(pool);
    pool
      .close()
      .catch(() => undefined)
      .finally(() => closing.delete(pool));
  }

  function sweep(): void {
    const unusedSince = clock.now() - bounds.idleMs;
    for (const [key, { pool, usedAt }] of entries) if (usedAt <= unusedSince) close(key, pool);
    stopSweep = entries.size > 0 ? clock.after(bounds.idleMs, sweep) : undefined;
  }

  function makeRoom(): void {
    if (entries.size < bounds.origins) return;
    const [key, { pool }] = [...entries].reduce((oldest, entry) =>
      entry[1].usedAt < oldest[1].usedAt ? entry : oldest,
    );
    close(key, pool);
  }

  return {
    get(key, make) {
      if (closed) throw notSent(egressErrors.egress_aborted());
      let entry = entries.get(key);
      if (entry === undefined) {
        makeRoom();
        entry = { pool: make(), usedAt: 0 };
        entries.set(key, entry);
        stopSweep ??= clock.after(bounds.idleMs, sweep);
      }
      entry.usedAt = clock.now();
      return entry.pool;
    },
    async close() {
      closed = true;
      stopSweep?.();
      const all = [...closing, ...[...entries.values()].map(({ pool }) => pool)];
      entries.clear();
      await Promise.all(all.map((pool) => pool.destroy()));
    },
  };
}
