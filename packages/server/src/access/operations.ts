import { recordAudit, type Actor } from '../audit/index.ts';
import type { Database, Transaction } from '../platform/database/index.ts';
import { newId } from '../platform/ids.ts';
import { accessErrors } from './errors.ts';
import { beyond, permits, type Grant } from './permission.ts';
import * as store from './store.ts';
import { holds, newTokenText, tokenDigest, type Caller, type Token } from './token.ts';

/** What access needs of the hub. */
export interface AccessPorts {
  readonly database: Database;
  /** Tells every node that a token is gone. */
  readonly revoked: (tokenId: string) => void;
  /** Writes an event in the transaction of what it tells of. */
  readonly emit: (tx: Transaction, event: AccessEvent) => Promise<void>;
  readonly now: () => number;
}

/** What the rest of the hub is told of tenants and tokens. */
export type AccessEvent = {
  readonly tenant: string;
  readonly actor?: string | undefined;
  readonly subject: string;
} & (
  | { readonly name: 'linkspan.tenant.created'; readonly data: { name: string } }
  | {
      readonly name: 'linkspan.token.created';
      readonly data: { name: string; permissions: string[]; expiresAt: string | null };
    }
  | { readonly name: 'linkspan.token.revoked'; readonly data: { name: string } }
);

export interface TokenRequest {
  readonly name: string;
  /** Name of a tenant; the caller's own when absent. */
  readonly tenant?: string;
  readonly permissions: readonly Grant[];
  readonly expiresAt?: Date;
}

/** A tenant of this name. Fails with `tenant_exists`. */
export function createTenant(ports: AccessPorts, actor: Actor, name: string): Promise<store.Tenant> {
  return ports.database.acrossTenants(async (tx) => {
    const tenant = await store.insertTenant(tx, newId(), name);
    if (!tenant) throw accessErrors.tenant_exists({ detail: `The tenant "${name}" exists.` });
    await recordAudit(tx, actor, { name: 'tenant.create', target: tenant.id, changes: { name } });
    await ports.emit(tx, {
      name: 'linkspan.tenant.created',
      tenant: actor.tenant,
      actor: actor.principal,
      subject: tenant.id,
      data: { name },
    });
    return tenant;
  });
}

/** A page of the tenants, by name. */
export function listTenants(
  ports: AccessPorts,
  page: { after?: string; limit: number },
): Promise<store.Tenant[]> {
  return ports.database.acrossTenants((tx) => store.listTenants(tx, page));
}

/**
 * A new token, with its text: the only time it is shown. It acts as the service account of its name, which is
 * made when it is missing.
 *
 * Fails with `grant_not_held`, `token_expiry_past`, `tenant_not_found`, `tenant_foreign`.
 */
export async function createToken(
  ports: AccessPorts,
  caller: Caller,
  actor: Actor,
  request: TokenRequest,
): Promise<{ token: Token; text: string }> {
  const excess = beyond(caller.grants, request.permissions);
  if (excess.length > 0) throw accessErrors.grant_not_held({ detail: `Not held: ${excess.join(', ')}.` });
  const expiresAt = request.expiresAt ?? null;
  if (!holds(expiresAt, ports.now())) throw accessErrors.token_expiry_past();
  const tenant = await tenantFor(ports, caller, request.tenant);

  const text = newTokenText();
  const token = await ports.database.asTenant(tenant, async (tx) => {
    const principal = await store.ensurePrincipal(tx, tenant, 'service', request.name);
    const { name, permissions } = request;
    const made = await store.insertToken(
      tx,
      { id: newId(), tenant, principal, name, permissions, expiresAt },
      tokenDigest(text),
    );
    await recordAudit(
      tx,
      { ...actor, tenant },
      {
        name: 'token.create',
        target: made.id,
        changes: { name, permissions, expiresAt },
      },
    );
    await ports.emit(tx, {
      name: 'linkspan.token.created',
      tenant,
      actor: actor.principal,
      subject: made.id,
      data: { name, permissions: [...permissions], expiresAt: expiresAt?.toISOString() ?? null },
    });
    return made;
  });
  return { token, text };
}

/** The tenant a token is asked for: the caller's own, or any named one for whoever may make tenants. */
async function tenantFor(ports: AccessPorts, caller: Caller, name: string | undefined): Promise<string> {
  if (name === undefined) return caller.tenant;
  const tenant = await ports.database.acrossTenants((tx) => store.tenantByName(tx, name));
  if (tenant?.id === caller.tenant) return tenant.id;
  if (!permits(caller.grants, 'tenants:write')) throw accessErrors.tenant_foreign();
  if (!tenant) throw accessErrors.tenant_not_found({ detail: `There is no tenant "${name}".` });
  return tenant.id;
}

/** A page of the caller's tenant's tokens. */
export function listTokens(
  ports: AccessPorts,
  caller: Caller,
  page: { after?: string; limit: number },
): Promise<Token[]> {
  return ports.database.asTenant(caller.tenant, (tx) => store.listTokens(tx, caller.tenant, page));
}

/** Revokes a token: from the commit on at this node, within a second at every other. Fails with `token_not_found`. */
export async function revokeToken(
  ports: AccessPorts,
  caller: Caller,
  actor: Actor,
  id: string,
): Promise<void> {
  await ports.database.asTenant(caller.tenant, async (tx) => {
    const token = await store.deleteToken(tx, caller.tenant, id);
    if (!token) throw accessErrors.token_not_found();
    const { name } = token;
    await recordAudit(tx, actor, { name: 'token.revoke', target: id, changes: { name } });
    await ports.emit(tx, {
      name: 'linkspan.token.revoked',
      tenant: caller.tenant,
      actor: actor.principal,
      subject: id,
      data: { name },
    });
  });
  ports.revoked(id);
}
