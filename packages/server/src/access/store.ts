import { sql } from 'kysely';
import type { Transaction } from '../platform/database/index.ts';
import { newId } from '../platform/ids.ts';
import type { Token } from './token.ts';

/** Every statement on tenants, principals and tokens. */

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
}

/** The names tenants may have: they appear in addresses and metrics. */
export const TENANT_NAME = '^[a-z0-9][a-z0-9-]{0,62}$';

/** Inserts a tenant; undefined when the id or the name is taken. */
export function insertTenant(tx: Transaction, id: string, name: string): Promise<Tenant | undefined> {
  return tx
    .insertInto('tenants')
    .values({ tenant_id: id, name })
    .onConflict((conflict) => conflict.doNothing())
    .returning(['tenant_id as id', 'name', 'created_at as createdAt'])
    .executeTakeFirst();
}

/** Tenants by name, those after a name when one is given. */
export function listTenants(tx: Transaction, page: { after?: string; limit: number }): Promise<Tenant[]> {
  return tx
    .selectFrom('tenants')
    .select(['tenant_id as id', 'name', 'created_at as createdAt'])
    .$if(page.after !== undefined, (query) => query.where('name', '>', page.after!))
    .orderBy('name')
    .limit(page.limit)
    .execute();
}

export function tenantByName(tx: Transaction, name: string): Promise<Tenant | undefined> {
  return tx
    .selectFrom('tenants')
    .select(['tenant_id as id', 'name', 'created_at as createdAt'])
    .where('name', '=', name)
    .executeTakeFirst();
}

/** The id of the principal of this kind and name, made when it is missing. */
export async function ensurePrincipal(
  tx: Transaction,
  tenant: string,
  kind: 'user' | 'service',
  name: string,
): Promise<string> {
  await tx
    .insertInto('principals')
    .values({ tenant_id: tenant, principal_id: newId(), kind, name })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  // A second statement, because the winner of a conflict is invisible to the first one's snapshot.
  const { id } = await tx
    .selectFrom('principals')
    .select('principal_id as id')
    .where('tenant_id', '=', tenant)
    .where('kind', '=', kind)
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return id;
}

const TOKEN = [
  'token_id as id',
  'tenant_id as tenant',
  'principal_id as principal',
  'name',
  'permissions',
  'created_at as createdAt',
  'expires_at as expiresAt',
] as const;

export function insertToken(
  tx: Transaction,
  token: Omit<Token, 'createdAt'>,
  digest: Buffer,
): Promise<Token> {
  return tx
    .insertInto('tokens')
    .values({
      token_id: token.id,
      tenant_id: token.tenant,
      principal_id: token.principal,
      name: token.name,
      permissions: [...token.permissions],
      expires_at: token.expiresAt,
      digest,
    })
    .returning(TOKEN)
    .executeTakeFirstOrThrow();
}

/** Tokens of the tenant in order of their ids, which is the order they were made in. */
export function listTokens(
  tx: Transaction,
  tenant: string,
  page: { after?: string; limit: number },
): Promise<Token[]> {
  return tx
    .selectFrom('tokens')
    .select(TOKEN)
    .where('tenant_id', '=', tenant)
    .$if(page.after !== undefined, (query) => query.where('token_id', '>', page.after!))
    .orderBy('token_id')
    .limit(page.limit)
    .execute();
}

/** Removes a token; undefined when the tenant has none of this id. */
export function deleteToken(tx: Transaction, tenant: string, id: string): Promise<Token | undefined> {
  return tx
    .deleteFrom('tokens')
    .where('tenant_id', '=', tenant)
    .where('token_id', '=', id)
    .returning(TOKEN)
    .executeTakeFirst();
}

/** The token of a digest, of whatever tenant. */
export function tokenByDigest(tx: Transaction, digest: Buffer): Promise<Token | undefined> {
  return tx.selectFrom('tokens').select(TOKEN).where('digest', '=', digest).executeTakeFirst();
}

/** Whether anybody still holds a token that can do everything. */
export async function someoneCanDoAll(tx: Transaction): Promise<boolean> {
  const found = await tx
    .selectFrom('tokens')
    .select('token_id')
    .where(sql<boolean>`'*' = any (permissions)`)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', sql<Date>`now()`)]))
    .executeTakeFirst();
  return found !== undefined;
}
