/** A data key as the database holds it: wrapped by a master key. */
export interface WrappedKey {
  /** A UUID; written into everything the key seals. */
  readonly id: string;
  /** Whose key it is: a tenant. */
  readonly scope: string;
  /** 1 for a scope's first key, then one more with each rotation. The highest is the current one. */
  readonly generation: number;
  /** Which master key wraps it. */
  readonly masterId: string;
  readonly wrapped: Uint8Array;
}

/** Where data keys are kept. */
export interface DataKeyStore {
  /** The key of the scope's highest generation. */
  current(scope: string): Promise<WrappedKey | undefined>;
  /** The key with this id, if it is this scope's. */
  byId(scope: string, id: string): Promise<WrappedKey | undefined>;
  /** Keeps a key. If the scope has a key of this generation already, that one stands and is returned. */
  insert(key: WrappedKey): Promise<WrappedKey>;
  /** Every key of every scope, in any order. */
  all(): AsyncIterable<WrappedKey>;
  /** Puts `after` in the place of `before` (same id, newly wrapped), only if it is still wrapped as in `before`. */
  replace(before: WrappedKey, after: WrappedKey): Promise<boolean>;
}
