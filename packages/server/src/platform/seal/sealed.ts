import { canonical } from './canonical.ts';

/**
 * A sealed value as bytes: format (1), id of the data key (16), nonce (12), ciphertext, tag (16). It is 45 bytes
 * longer than its plaintext. A later format gets another first byte.
 */
const FORMAT = 1;
const ID_BYTES = 16;
const HEADER_BYTES = 1 + ID_BYTES;

/** Where a sealed value lives. It opens nowhere else. */
export interface Place {
  /** Whose it is: the tenant. */
  readonly scope: string;
  /** Which secret of the record: `connection credential`. Fixed text of the part that seals. */
  readonly purpose: string;
  /** The id of the record. */
  readonly record: string;
}

export interface Sealed {
  readonly header: Uint8Array;
  readonly keyId: string;
  /** Nonce, ciphertext, tag. */
  readonly box: Uint8Array;
}

/** The first bytes of what this key (a UUID) seals. */
export function headerOf(keyId: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(FORMAT);
  if (header.write(keyId.replaceAll('-', ''), 1, 'hex') !== ID_BYTES)
    throw new RangeError('a key id is a UUID');
  return header;
}

/** Takes a sealed value apart; nothing if it is none of a format known here. */
export function readSealed(sealed: Uint8Array): Sealed | undefined {
  if (sealed.length < HEADER_BYTES || sealed[0] !== FORMAT) return undefined;
  const header = sealed.subarray(0, HEADER_BYTES);
  return { header, keyId: uuid(header.subarray(1)), box: sealed.subarray(HEADER_BYTES) };
}

/** What the ciphertext is bound to: its own header and its place. */
export function boundTo(header: Uint8Array, { scope, purpose, record }: Place): Buffer {
  return Buffer.concat([header, canonical('linkspan sealed value', scope, purpose, record)]);
}

function uuid(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
