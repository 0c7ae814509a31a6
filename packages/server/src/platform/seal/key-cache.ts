import type { Clock, StopTimer } from '../clock.ts';

export interface CacheBounds {
  /** How many entries are kept; the one longest unused goes first. */
  readonly entries: number;
  /** Milliseconds after which an entry is loaded anew, however often it is used. */
  readonly ms: number;
}

/**
 * Keeps what was loaded for a bounded number of entries and a bounded time. Who asks for something that is being
 * loaded waits for the same load. What failed to load is not kept.
 */
export class KeyCache<V> {
  readonly #clock: Clock;
  readonly #bounds: CacheBounds;
  /** In order of use, the longest unused first. */
  readonly #entries = new Map<string, { value: Promise<V>; until: number }>();
  #sweeping: StopTimer | undefined;

  constructor(clock: Clock, bounds: CacheBounds) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  get(name: string, load: () => Promise<V>): Promise<V> {
    const entry = this.#entries.get(name);
    if (!entry || entry.until <= this.#clock.now()) return this.put(name, load());
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return entry.value;
  }

  put(name: string, value: Promise<V>): Promise<V> {
    const entry = { value, until: this.#clock.now() + this.#bounds.ms };
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    value.catch(() => {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
    });
    this.#evict();
    this.#sweeping ??= this.#clock.after(this.#bounds.ms, () => this.#sweep());
    return value;
  }

  clear(): void {
    this.#entries.clear();
    this.#sweeping?.();
    this.#sweeping = undefined;
  }

  get size(): number {
    return this.#entries.size;
  }

  #evict(): void {
    for (const name of this.#entries.keys()) {
      if (this.#entries.size <= this.#bounds.entries) return;
      this.#entries.delete(name);
    }
  }

  /** Lets go of what nobody asks for any more, so that a key's time in memory is bounded without a look-up. */
  #sweep(): void {
    this.#sweeping = undefined;
    const now = this.#clock.now();
    for (const [name, { until }] of this.#entries) if (until <= now) this.#entries.delete(name);
    if (this.#entries.size > 0) this.#sweeping = this.#clock.after(this.#bounds.ms, () => this.#sweep());
  }
}
