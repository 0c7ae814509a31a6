import { timingSafeEqual } from 'node:crypto';
import type { Database } from '../platform/database/index.ts';
import { tokenByDigest } from './store.ts';
import { holds, tokenDigest, type Caller } from './token.ts';

/** How long a node trusts what it read of a token when no revocation reaches it, in milliseconds. */
const TRUST_MS = 5_000;

/** Tokens remembered at most; the longest unused one makes room. */
const REMEMBERED = 10_000;

export interface Authenticator {
  /** Who holds this token; undefined when nobody does: unknown, revoked or expired. */
  authenticate(text: string): Promise<Caller | undefined>;
  /** Forgets a revoked token. */
  forget(tokenId: string): void;
  /** Forgets everything: a revocation may have been missed. */
  forgetAll(): void;
}

interface Remembered {
  readonly caller: Caller;
  readonly expiresAt: Date | null;
  readonly trustedUntil: number;
}

/**
 * Looks tokens up, and remembers them for seconds.
 *
 * Invariant: a token revoked before the look-up began is never remembered after `forget`: an answer that was
 * under way while something was forgotten is used once and not kept.
 */
export function createAuthenticator(options: {
  database: Database;
  now: () => number;
  /** The configured administrator token and whom it stands for. */
  configured?: { text: string; caller: Caller } | undefined;
}): Authenticator {
  const { database, now, configured } = options;
  const configuredDigest = configured && tokenDigest(configured.text);
  const remembered = new Map<string, Remembered>();
  let forgotten = 0;

  async function lookUp(key: string, digest: Buffer): Promise<Remembered | undefined> {
    const before = forgotten;
    const token = await database.acrossTenants((tx) => tokenByDigest(tx, digest));
    if (!token) return undefined;
    const { tenant, principal, id, permissions, expiresAt } = token;
    const caller: Caller = { tenant, principal, token: id, grants: new Set(permissions) };
    const found = { caller, expiresAt, trustedUntil: now() + TRUST_MS };
    if (before === forgotten) remember(key, found);
    return found;
  }

  function remember(key: string, found: Remembered): void {
    const oldest = remembered.size >= REMEMBERED ? remembered.keys().next().value : undefined;
    if (oldest !== undefined) remembered.delete(oldest);
    remembered.set(key, found);
  }

  function trusted(key: string): Remembered | undefined {
    const found = remembered.get(key);
    if (!found) return undefined;
    if (found.trustedUntil > now()) return found;
    remembered.delete(key);
    return undefined;
  }

  return {
    async authenticate(text) {
      const digest = tokenDigest(text);
      if (configured && configuredDigest && timingSafeEqual(digest, configuredDigest))
        return configured.caller;
      const key = digest.toString('base64');
      const found = trusted(key) ?? (await lookUp(key, digest));
      return found && holds(found.expiresAt, now()) ? found.caller : undefined;
    },
    forget(tokenId) {
      forgotten++;
      for (const [key, found] of remembered) if (found.caller.token === tokenId) remembered.delete(key);
    },
    forgetAll() {
      forgotten++;
      remembered.clear();
    },
  };
}
