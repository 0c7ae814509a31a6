import type { Clock } from '../clock.ts';
import type { DataKeyStore, WrappedKey } from './data-key-store.ts';
import { sealErrors } from './errors.ts';
import type { CacheBounds } from './key-cache.ts';
import { KeyCache } from './key-cache.ts';
import type { SecretKey } from './secret-key.ts';
import type { Wrapping } from './wrapping.ts';

/** A data key, unwrapped and ready. */
export interface DataKey {
  readonly id: string;
  readonly generation: number;
  readonly key: SecretKey;
}

export interface DataKeysOptions {
  readonly store: DataKeyStore;
  readonly wrapping: Wrapping;
  readonly clock: Clock;
  readonly cache: CacheBounds;
  /** How often this node seals with one key before the scope gets its next. */
  readonly sealsPerKey: number;
}

/**
 * The data keys of all scopes: one current per scope to seal with, all of them to open with.
 *
 * 1. A scope has at most one key of each generation: the store decides races, and the loser uses the winner's.
 * 2. No key seals more often than random 96-bit nonces allow (2^32 times, NIST SP 800-38D §8.3). Each node counts
 *    for itself, so `sealsPerKey` leaves room for several nodes and restarts.
 * 3. A key that was rotated on another node may seal here until it falls out of the cache; it still opens.
 */
export class DataKeys {
  readonly #options: DataKeysOptions;
  readonly #current: KeyCache<{ dataKey: DataKey; seals: number }>;
  readonly #byId: KeyCache<DataKey>;

  constructor(options: DataKeysOptions) {
    this.#options = options;
    this.#current = new KeyCache(options.clock, options.cache);
    this.#byId = new KeyCache(options.clock, options.cache);
  }

  /** The key to seal with; every call counts as one use. */
  async toSeal(scope: string): Promise<DataKey> {
    const inUse = await this.#current.get(scope, () => this.#loadCurrent(scope));
    if (inUse.seals++ < this.#options.sealsPerKey) return inUse.dataKey;
    await this.#current.put(scope, this.#make(scope, inUse.dataKey.generation + 1));
    return this.toSeal(scope);
  }

  /** @throws seal_key_unknown, seal_broken */
  toOpen(scope: string, id: string): Promise<DataKey> {
    return this.#byId.get(`${id} ${scope}`, async () => {
      const found = await this.#options.store.byId(scope, id);
      if (!found) throw sealErrors.seal_key_unknown();
      return this.#unwrapped(found);
    });
  }

  /** The id of the key that seals now. */
  async currentId(scope: string): Promise<string> {
    return (await this.#current.get(scope, () => this.#loadCurrent(scope))).dataKey.id;
  }

  async rotate(scope: string): Promise<void> {
    const current = await this.#options.store.current(scope);
    await this.#current.put(scope, this.#make(scope, (current?.generation ?? 0) + 1));
  }

  forget(): void {
    this.#current.clear();
    this.#byId.clear();
  }

  async #loadCurrent(scope: string): Promise<{ dataKey: DataKey; seals: number }> {
    const current = await this.#options.store.current(scope);
    return current ? { dataKey: this.#unwrapped(current), seals: 0 } : this.#make(scope, 1);
  }

  async #make(scope: string, generation: number): Promise<{ dataKey: DataKey; seals: number }> {
    const standing = await this.#options.store.insert(this.#options.wrapping.make(scope, generation));
    return { dataKey: this.#unwrapped(standing), seals: 0 };
  }

  #unwrapped(wrapped: WrappedKey): DataKey {
    const { id, generation } = wrapped;
    return { id, generation, key: this.#options.wrapping.unwrap(wrapped) };
  }
}
