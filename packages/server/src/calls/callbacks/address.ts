import { timingSafeEqual } from 'node:crypto';
import { canonical, type SecretKey } from '../../platform/seal/index.ts';
import { NAME, type Callback } from './callback.ts';

/**
 * Signed addresses (security rule 5): `/cb/<kind>.<tenant>.<call>.<expiry>.<name>.<signature>`.
 *
 * An address is recognised by writing it anew from what it says and comparing the whole text, so there is exactly one
 * text for each callback: no other spelling of it is let in.
 */
export interface Addresses {
  tokenOf(callback: Callback): string;
  /** What a token of ours says; undefined for any other text. Takes the same time wherever a text differs. */
  read(token: string): Callback | undefined;
  /** The receipt of a delivery: only this hub can make it, and always makes the same. */
  receipt(callback: Callback, delivery: string, digest: Buffer): string;
  /** What makes two requests the same delivery. */
  digest(parts: readonly string[], body: Uint8Array): Buffer;
}

const KINDS = { w: 'webhook', r: 'redirect' } as const;

export function createAddresses(key: SecretKey): Addresses {
  const signed = (...texts: string[]): string => key.mac(canonical(...texts)).toString('base64url');

  function tokenOf(callback: Callback): string {
    const { tenant, call, name, kind, expires } = callback;
    const said = [kind.charAt(0), packed(tenant), packed(call), expires.toString(36), name].join('.');
    return `${said}.${signed('callback address', ...boundTo(callback))}`;
  }

  return {
    tokenOf,
    read(token) {
      const callback = unpacked(token);
      if (!callback) return undefined;
      const [given, own] = [Buffer.from(token), Buffer.from(tokenOf(callback))];
      return given.length === own.length && timingSafeEqual(given, own) ? callback : undefined;
    },
    receipt: (callback, delivery, digest) =>
      `${delivery}.${signed('callback receipt', ...boundTo(callback), delivery, digest.toString('hex'))}`,
    digest: (parts, body) =>
      key.mac(Buffer.concat([canonical('callback delivery', String(parts.length), ...parts), body])),
  };
}

/** Everything a signature is bound to. */
function boundTo({ tenant, call, name, kind, expires }: Callback): string[] {
  return [tenant, call, name, kind, String(expires)];
}

function unpacked(token: string): Callback | undefined {
  const [letter = '', tenant = '', call = '', expiry = '', name = ''] = token.split('.');
  const kind = letter === 'w' || letter === 'r' ? KINDS[letter] : undefined;
  if (!kind || !/^[0-9a-z]{1,11}$/.test(expiry) || !NAME.test(name)) return undefined;
  return { kind, tenant: uuidOf(tenant), call: uuidOf(call), expires: Number.parseInt(expiry, 36), name };
}

/** A UUID in 22 characters. */
function packed(uuid: string): string {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url');
}

function uuidOf(text: string): string {
  const hex = Buffer.from(text, 'base64url').toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
