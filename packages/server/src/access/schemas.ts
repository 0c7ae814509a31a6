import { Type, type Static, type TProperties } from 'typebox';
import { everyGrant } from './permission.ts';
import { TENANT_NAME, type Tenant as StoredTenant } from './store.ts';
import type { Token as StoredToken } from './token.ts';

/** The shapes of tenants and tokens in the API, and how what is stored becomes one. */

const closed = <P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

const Id = Type.String({ format: 'uuid' });
const Instant = Type.String({ format: 'date-time' });
const TenantName = Type.String({
  pattern: TENANT_NAME,
  description: 'Lower-case letters, digits and hyphens, at most 63.',
});
/** One line of visible text: no control characters, which some stores and terminals cannot keep. */
const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\p{Cc}\\p{Cs}]*$' });
const Permissions = Type.Array(Type.Enum(everyGrant), {
  minItems: 1,
  maxItems: 100,
  uniqueItems: true,
  description: 'Permissions of the catalogue, or `*` for every one there is and will be.',
});

export const TenantBody = closed({ name: TenantName });

export const Tenant = closed({ id: Id, name: TenantName, createdAt: Instant });

export const TokenBody = closed({
  name: Name,
  tenant: Type.Optional(
    Type.String({ pattern: TENANT_NAME, description: 'Name of a tenant; your own when left out.' }),
  ),
  permissions: Permissions,
  expiresAt: Type.Optional(
    Type.String({ format: 'date-time', description: 'Without it the token has no end.' }),
  ),
});

const tokenFields = {
  id: Id,
  tenant: Type.String({ format: 'uuid', description: 'Id of the tenant it belongs to.' }),
  principal: Type.String({ format: 'uuid', description: 'Id of the principal it acts as.' }),
  name: Name,
  permissions: Type.Array(Type.String()),
  createdAt: Instant,
  expiresAt: Type.Union([Instant, Type.Null()]),
};

export const Token = closed(tokenFields);

export const NewToken = closed({
  ...tokenFields,
  token: Type.String({ description: 'Its text. It is shown this once and kept nowhere.' }),
});

export const TokenParams = closed({ id: Id });

/** A page of a list: its items, and what to send as `after` for the next page; null on the last one. */
export const pageOf = <P extends TProperties>(item: ReturnType<typeof closed<P>>) =>
  closed({ items: Type.Array(item), next: Type.Union([Type.String(), Type.Null()]) });

const Limit = Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Items of a page.' });

export const TokenPage = closed({
  after: Type.Optional(Type.String({ format: 'uuid', description: '`next` of the page before.' })),
  limit: Type.Optional(Limit),
});

export const TenantPage = closed({
  after: Type.Optional(Type.String({ pattern: TENANT_NAME, description: '`next` of the page before.' })),
  limit: Type.Optional(Limit),
});

export const DEFAULT_LIMIT = 50;

export function shownTenant({ id, name, createdAt }: StoredTenant): Static<typeof Tenant> {
  return { id, name, createdAt: createdAt.toISOString() };
}

export function shownToken(token: StoredToken): Static<typeof Token> {
  const { id, tenant, principal, name, permissions, createdAt, expiresAt } = token;
  return {
    id,
    tenant,
    principal,
    name,
    permissions: [...permissions],
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt?.toISOString() ?? null,
  };
}
