import { createHmac, timingSafeEqual } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import type { Verification } from '@linkspan/sdk';

/** What the proof of a sender is read from. Header names in lower case. */
export interface Proof {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Whether a request proves everything that is asked. */
export function isVerified(verifications: readonly Verification[], proof: Proof): boolean {
  return verifications.every((verification) => holds(verification, proof));
}

/** Names of the headers that carry a secret itself. */
export function secretHeaders(verifications: readonly Verification[]): string[] {
  return verifications.flatMap((one) => (one.scheme === 'header' ? [one.header.toLowerCase()] : []));
}

function holds(verification: Verification, proof: Proof): boolean {
  switch (verification.scheme) {
    case 'hmac':
      return hmacHolds(verification, proof);
    case 'standard-webhooks':
      return standardHolds(verification, proof);
    case 'header':
      return verification.value !== '' && same(header(proof, verification.header), verification.value);
    case 'addresses':
      return isWithin(proof.address, verification.ranges);
    default:
      return false; // from plain JavaScript
  }
}

type Of<Scheme> = Extract<Verification, { scheme: Scheme }>;

function hmacHolds(asked: Of<'hmac'>, proof: Proof): boolean {
  const { secret, algorithm = 'sha256', encoding = 'hex', prefix = '' } = asked;
  if (secret === '') return false;
  const given = header(proof, asked.header);
  const own = createHmac(algorithm, secret).update(proof.body).digest(encoding);
  return same(encoding === 'hex' ? lowerBehind(given, prefix) : given, prefix + own);
}

/** Hexadecimal digits count in either case; what stands before them is as it is. */
function lowerBehind(text: string | undefined, prefix: string): string | undefined {
  return text && text.slice(0, prefix.length) + text.slice(prefix.length).toLowerCase();
}

function standardHolds({ secret, tolerance = 300 }: Of<'standard-webhooks'>, proof: Proof): boolean {
  const id = header(proof, 'webhook-id');
  const timestamp = header(proof, 'webhook-timestamp');
  const signatures = header(proof, 'webhook-signature')?.split(' ') ?? [];
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  if (id === undefined || timestamp === undefined || !/^\d{1,12}$/.test(timestamp) || key.length === 0)
    return false;
  if (Math.abs(proof.now / 1000 - Number(timestamp)) > tolerance) return false;
  const own = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(proof.body).digest('base64');
  return signatures.some((signature) => same(signature, `v1,${own}`));
}

/** A header that is there exactly once. */
function header({ headers }: Proof, name: string): string | undefined {
  const value = headers[name.toLowerCase()];
  return typeof value === 'string' ? value : undefined;
}

function same(given: string | undefined, own: string): boolean {
  const [one, other] = [Buffer.from(given ?? ''), Buffer.from(own)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function isWithin(address: string, ranges: readonly string[]): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const family = familyOf(plain);
  const list = new BlockList();
  for (const range of ranges) {
    const [first = '', bits] = range.split('/');
    const kind = familyOf(first);
    if (!kind) return false; // what cannot be read allows nothing
    if (bits === undefined) list.addAddress(first, kind);
    else list.addSubnet(first, Number(bits), kind);
  }
  return family !== undefined && list.check(plain, family);
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6';
}
