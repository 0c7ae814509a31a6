import type { Clock } from '../clock.ts';
import { utf8 } from './canonical.ts';
import type { DataKeyStore } from './data-key-store.ts';
import { DataKeys } from './data-keys.ts';
import { sealErrors } from './errors.ts';
import type { CacheBounds } from './key-cache.ts';
import type { MasterKey } from './master-key.ts';
import type { Rewrapped } from './rewrap.ts';
import { rewrapAll } from './rewrap.ts';
import type { Place } from './sealed.ts';
import { boundTo, headerOf, readSealed } from './sealed.ts';
import { Wrapping } from './wrapping.ts';

/** Seals secrets for the database: AES-256-GCM under a data key per scope, itself wrapped by the master key. */
export interface Sealer {
  /** Seals bytes, or text as UTF-8, for one place. The same plaintext never seals to the same bytes. */
  seal(place: Place, plaintext: Uint8Array | string): Promise<Buffer>;
  /** @throws seal_broken, seal_key_unknown */
  open(place: Place, sealed: Uint8Array): Promise<Buffer>;
  /**
   * The same value under the scope's current key; nothing if that is what it is under already.
   * @throws seal_broken, seal_key_unknown
   */
  reseal(place: Place, sealed: Uint8Array): Promise<Buffer | undefined>;
  /**
   * Gives the scope a new data key. What the former ones sealed still opens. Other nodes go on sealing with the
   * former one for at most `cache.ms`.
   */
  rotateScope(scope: string): Promise<void>;
  /** Wraps every data key with a new master key, from now on used for new ones too. See {@link rewrapAll}. */
  rewrapAll(master: MasterKey): Promise<Rewrapped>;
  /** Drops every unwrapped data key from memory, as when signals were missed or a scope was erased. */
  forget(): void;
}

export interface SealerOptions {
  readonly store: DataKeyStore;
  readonly master: MasterKey;
  /** Master keys that may still wrap some data keys. */
  readonly former?: readonly MasterKey[];
  readonly clock: Clock;
  /** Bounds of the unwrapped data keys in memory. Default: 1000 for 5 minutes. */
  readonly cache?: CacheBounds;
  /** How often one node seals with one data key before the scope gets its next. Default: 2^28. */
  readonly sealsPerKey?: number;
}

const CACHE: CacheBounds = { entries: 1000, ms: 5 * 60_000 };
const SEALS_PER_KEY = 2 ** 28;

export function createSealer(options: SealerOptions): Sealer {
  return new EnvelopeSealer(options);
}

class EnvelopeSealer implements Sealer {
  readonly #store: DataKeyStore;
  readonly #wrapping: Wrapping;
  readonly #keys: DataKeys;

  constructor({ store, master, former, clock, cache, sealsPerKey }: SealerOptions) {
    this.#store = store;
    this.#wrapping = new Wrapping(master, former);
    this.#keys = new DataKeys({
      store,
      wrapping: this.#wrapping,
      clock,
      cache: cache ?? CACHE,
      sealsPerKey: sealsPerKey ?? SEALS_PER_KEY,
    });
  }

  async seal(place: Place, plaintext: Uint8Array | string): Promise<Buffer> {
    const bytes = typeof plaintext === 'string' ? utf8(plaintext) : plaintext;
    const { id, key } = await this.#keys.toSeal(place.scope);
    const header = headerOf(id);
    return Buffer.concat([header, key.encrypt(bytes, boundTo(header, place))]);
  }

  async open(place: Place, sealed: Uint8Array): Promise<Buffer> {
    const parts = readSealed(sealed);
    if (!parts) throw sealErrors.seal_broken();
    const { key } = await this.#keys.toOpen(place.scope, parts.keyId);
    const plaintext = key.decrypt(parts.box, boundTo(parts.header, place));
    if (!plaintext) throw sealErrors.seal_broken();
    return plaintext;
  }

  async reseal(place: Place, sealed: Uint8Array): Promise<Buffer | undefined> {
    const plaintext = await this.open(place, sealed);
    const current = await this.#keys.currentId(place.scope);
    return readSealed(sealed)?.keyId === current ? undefined : this.seal(place, plaintext);
  }

  rotateScope(scope: string): Promise<void> {
    return this.#keys.rotate(scope);
  }

  rewrapAll(master: MasterKey): Promise<Rewrapped> {
    this.#wrapping.adopt(master);
    return rewrapAll(this.#store, this.#wrapping);
  }

  forget(): void {
    this.#keys.forget();
  }
}
