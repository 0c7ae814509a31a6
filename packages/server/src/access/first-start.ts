import { recordAudit } from '../audit/index.ts';
import type { Database } from '../platform/database/index.ts';
import { newId } from '../platform/ids.ts';
import * as store from './store.ts';
import { newTokenText, tokenDigest, type Caller } from './token.ts';

/** The tenant a hub begins with. Its id is fixed, so that nodes which start together agree on it. */
export const MAIN_TENANT = { id: '00000000-0000-7000-8000-000000000001', name: 'main' };

/** The principal everything begins with. */
export interface Administrator {
  readonly caller: Caller;
  /** The text of a token just made; to be shown once and kept nowhere. */
  readonly newToken?: string;
}

/**
 * Makes the main tenant and its administrator, and a token for them unless one is configured or somebody holds
 * one that can do everything. So a hub is never without a credential, and never locked out after the last
 * token was revoked: the next start makes a new one.
 */
export function ensureAdministrator(
  database: Database,
  options: { tokenConfigured: boolean },
): Promise<Administrator> {
  return database.acrossTenants(async (tx) => {
    await store.insertTenant(tx, MAIN_TENANT.id, MAIN_TENANT.name);
    const principal = await store.ensurePrincipal(tx, MAIN_TENANT.id, 'user', 'administrator');
    const caller: Caller = { tenant: MAIN_TENANT.id, principal, grants: new Set(['*']) };
    if (options.tokenConfigured || (await store.someoneCanDoAll(tx))) return { caller };

    const newToken = newTokenText();
    const token = {
      id: newId(),
      tenant: MAIN_TENANT.id,
      principal,
      name: 'administrator (first start)',
      permissions: ['*'],
      expiresAt: null,
    };
    await store.insertToken(tx, token, tokenDigest(newToken));
    await recordAudit(
      tx,
      { tenant: MAIN_TENANT.id },
      {
        name: 'token.create',
        target: token.id,
        changes: { name: token.name, permissions: token.permissions },
      },
    );
    return { caller, newToken };
  });
}
