import { createHash, randomBytes } from 'node:crypto';
import type { Actor } from '../audit/index.ts';

/** A token as it is listed: everything but its text, which exists only in the answer that made it. */
export interface Token {
  readonly id: string;
  readonly tenant: string;
  readonly principal: string;
  readonly name: string;
  readonly permissions: readonly string[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
}

/** The principal behind a request, with what its token allows. */
export interface Caller {
  readonly tenant: string;
  readonly principal: string;
  /** Absent when the token comes from the configuration. */
  readonly token?: string;
  readonly grants: ReadonlySet<string>;
}

/** The caller as the audit names it. */
export function actorOf(
  { tenant, principal, token }: Caller,
  origin: Pick<Actor, 'address' | 'requestId' | 'noted'>,
): Actor {
  return { tenant, principal, ...(token === undefined ? {} : { token }), ...origin };
}

/** Scanners for leaked secrets recognise a token by this. */
const PREFIX = 'lsp_';

/** A new token's text: 256 random bits behind the prefix. */
export function newTokenText(): string {
  return PREFIX + randomBytes(32).toString('base64url');
}

/**
 * What is stored and looked up of a token: SHA-256. A slow hash would add nothing, because the text is random
 * and long; and looking up by digest gives a guesser no timing to learn from.
 */
export function tokenDigest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Whether a token with this end still holds at `now` (milliseconds). */
export function holds(expiresAt: Date | null, now: number): boolean {
  return expiresAt === null || expiresAt.getTime() > now;
}
