import { randomBytes, randomUUID } from 'node:crypto';
import { canonical } from './canonical.ts';
import type { WrappedKey } from './data-key-store.ts';
import { sealErrors } from './errors.ts';
import type { MasterKey } from './master-key.ts';
import { KEY_BYTES, SecretKey } from './secret-key.ts';

/** Wraps data keys with the current master key and unwraps them with every master key at hand. */
export class Wrapping {
  #current: MasterKey;
  readonly #masters = new Map<string, MasterKey>();

  constructor(current: MasterKey, former: readonly MasterKey[] = []) {
    for (const master of former) this.#masters.set(master.id, master);
    this.#current = this.adopt(current);
  }

  /** Wraps with this master key from now on; the former ones still unwrap. */
  adopt(master: MasterKey): MasterKey {
    this.#masters.set(master.id, master);
    return (this.#current = master);
  }

  /** Makes the data key of a scope's generation. */
  make(scope: string, generation: number): WrappedKey {
    return this.#wrap(randomBytes(KEY_BYTES), { id: randomUUID(), scope, generation });
  }

  /** @throws seal_key_unknown, seal_broken */
  unwrap(key: WrappedKey): SecretKey {
    return new SecretKey(this.#bytesOf(key));
  }

  isCurrent(key: WrappedKey): boolean {
    return key.masterId === this.#current.id;
  }

  /**
   * The same data key under the current master key.
   * @throws seal_key_unknown, seal_broken
   */
  rewrap(key: WrappedKey): WrappedKey {
    return this.#wrap(this.#bytesOf(key), key);
  }

  #wrap(
    bytes: Buffer,
    { id, scope, generation }: Pick<WrappedKey, 'id' | 'scope' | 'generation'>,
  ): WrappedKey {
    const masterId = this.#current.id;
    const wrapped = this.#current.wrap(bytes, boundTo({ id, scope, generation, masterId }));
    bytes.fill(0);
    return { id, scope, generation, masterId, wrapped };
  }

  #bytesOf(key: WrappedKey): Buffer {
    const master = this.#masters.get(key.masterId);
    if (!master) throw sealErrors.seal_key_unknown();
    const bytes = master.unwrap(key.wrapped, boundTo(key));
    if (!bytes) throw sealErrors.seal_broken();
    return bytes;
  }
}

/** A wrapped key opens only as what it was made: another scope's row does not become this scope's key. */
function boundTo({ id, scope, generation, masterId }: Omit<WrappedKey, 'wrapped'>): Buffer {
  return canonical('linkspan data key', id, scope, String(generation), masterId);
}
