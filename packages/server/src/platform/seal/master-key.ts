import { timingSafeEqual } from 'node:crypto';
import { sealErrors } from './errors.ts';
import { KEY_BYTES, SecretKey } from './secret-key.ts';

const HEX = /^[0-9a-fA-F]{64}$/;
/** Of 32 bytes: the last digit has two bits to spare, which must be zero. */
const BASE64 = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=?$/;

/**
 * The one key that is not in the database. It wraps data keys, and keys to sign with come from it; every use has a
 * key of its own, derived from it.
 */
export class MasterKey {
  /** Tells master keys apart; public. */
  readonly id: string;
  readonly #wrapping: SecretKey;
  readonly #signing: SecretKey;
  readonly #check: Buffer;

  /** Takes `bytes` over: they are wiped. */
  constructor(bytes: Uint8Array) {
    const root = new SecretKey(bytes);
    this.id = root.derive('linkspan master key: id', 8).toString('hex');
    this.#wrapping = new SecretKey(root.derive('linkspan master key: wrap data keys', KEY_BYTES));
    this.#signing = new SecretKey(root.derive('linkspan master key: keys to sign with', KEY_BYTES));
    this.#check = root.derive('linkspan master key: check value', KEY_BYTES);
  }

  wrap(dataKey: Uint8Array, bound: Uint8Array): Buffer {
    return this.#wrapping.encrypt(dataKey, bound);
  }

  /** The data key's bytes, or nothing if they were wrapped otherwise. Whoever takes them wipes them. */
  unwrap(wrapped: Uint8Array, bound: Uint8Array): Buffer | undefined {
    return this.#wrapping.decrypt(wrapped, bound);
  }

  /** The key to sign with for one purpose: the same on every node, and of no use for any other purpose. */
  signingKey(purpose: string): SecretKey {
    return new SecretKey(this.#signing.derive(purpose, KEY_BYTES));
  }

  /** See {@link checkValue}. */
  checkValue(): Buffer {
    return Buffer.from(this.#check);
  }
}

/**
 * Reads a key given as text: 64 hexadecimal digits or the base64 of 32 bytes, with or without space around it.
 * `source` tells the reader of an error where the text came from.
 * @throws master_key_invalid; it never repeats what was given.
 */
export function parseMasterKey(text: string, source: string): MasterKey {
  const given = text.trim();
  if (HEX.test(given)) return new MasterKey(Buffer.from(given, 'hex'));
  if (BASE64.test(given)) return new MasterKey(Buffer.from(given, 'base64'));
  throw sealErrors.master_key_invalid({
    detail: `${source}: expected 64 hexadecimal digits or the base64 of 32 bytes, got ${given.length} characters that are neither.`,
  });
}

/** What the database keeps of the master key: enough to recognise it, useless to guess it. */
export function checkValue(master: MasterKey): Buffer {
  return master.checkValue();
}

/**
 * Finds the master key a database was made with among those at hand.
 * @throws master_key_mismatch when it is none of them; the hub must not start.
 */
export function requireMasterKey(stored: Uint8Array, masters: readonly MasterKey[]): MasterKey {
  const match = masters.find((master) => {
    const own = master.checkValue();
    return own.length === stored.length && timingSafeEqual(own, stored);
  });
  if (!match) throw sealErrors.master_key_mismatch();
  return match;
}
