import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** Bytes of every key here. */
export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/**
 * 256 secret bits that can be used and not read. They lie in a KeyObject, outside the JavaScript heap, behind a
 * private field: neither `JSON.stringify`, `util.inspect` nor an error can show them.
 */
export class SecretKey {
  readonly #key: KeyObject;

  /** Takes `bytes` over: they are wiped. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== KEY_BYTES) throw new RangeError('a key has 32 bytes');
    this.#key = createSecretKey(bytes);
    bytes.fill(0);
  }

  /** Nonce, ciphertext and tag in one. Opens only with the same `bound` bytes. */
  encrypt(plaintext: Uint8Array, bound: Uint8Array): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(bound);
    return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }

  /** The plaintext, or nothing if anything about the box or `bound` is not as it was sealed. */
  decrypt(box: Uint8Array, bound: Uint8Array): Buffer | undefined {
    if (box.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const nonce = box.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(bound);
    decipher.setAuthTag(box.subarray(-TAG_BYTES));
    const plaintext = decipher.update(box.subarray(NONCE_BYTES, -TAG_BYTES));
    try {
      return Buffer.concat([plaintext, decipher.final()]);
    } catch {
      return undefined;
    }
  }

  /** 32 bytes that nobody without the key can make for these (HMAC-SHA-256). Compare them in constant time. */
  mac(bytes: Uint8Array): Buffer {
    return createHmac('sha256', this.#key).update(bytes).digest();
  }

  /** Bytes that depend on the key and the purpose and tell nothing of the key (HKDF-SHA-256, RFC 5869). */
  derive(purpose: string, bytes: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#key, '', purpose, bytes));
  }
}
