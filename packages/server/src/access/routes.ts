import { defineRoute, type HubRoute } from './define-route.ts';
import { accessErrors } from './errors.ts';
import * as access from './operations.ts';
import * as schemas from './schemas.ts';

const NO_ENTRY = { none: 'Reading a list changes nothing.' };

/** The routes of tenants and tokens. */
export function accessRoutes(ports: access.AccessPorts): HubRoute[] {
  return [...tokenRoutes(ports), ...tenantRoutes(ports)];
}

function tokenRoutes(ports: access.AccessPorts): HubRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/tokens',
      summary: 'Make a token',
      description:
        'The token acts as the service account of its name, which is made when it is missing. Its text is in this answer and nowhere else.',
      tags: ['Tokens'],
      access: 'tokens:write',
      audit: 'token.create',
      body: schemas.TokenBody,
      replies: { 201: { description: 'The token, with its text.', schema: schemas.NewToken } },
      errors: [
        accessErrors.grant_not_held,
        accessErrors.tenant_foreign,
        accessErrors.tenant_not_found,
        accessErrors.token_expiry_past,
      ],
      async handle({ caller, actor, body: { expiresAt, ...wanted } }) {
        const { token, text } = await access.createToken(ports, caller, actor, {
          ...wanted,
          ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) }),
        });
        return { status: 201, body: { ...schemas.shownToken(token), token: text } };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/tokens',
      summary: 'List the tokens of your tenant',
      description: 'In the order they were made. Never with their texts.',
      tags: ['Tokens'],
      access: 'tokens:read',
      audit: NO_ENTRY,
      query: schemas.TokenPage,
      replies: { 200: { description: 'A page of tokens.', schema: schemas.pageOf(schemas.Token) } },
      async handle({ caller, query: { after, limit = schemas.DEFAULT_LIMIT } }) {
        const page = { limit: limit + 1, ...(after === undefined ? {} : { after }) };
        const tokens = await access.listTokens(ports, caller, page);
        return { status: 200, body: paged(tokens.map(schemas.shownToken), limit, (token) => token.id) };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/v1/tokens/:id',
      summary: 'Revoke a token',
      description: 'It is refused from now on at this node, and within a second at every other.',
      tags: ['Tokens'],
      access: 'tokens:write',
      audit: 'token.revoke',
      params: schemas.TokenParams,
      replies: { 204: { description: 'The token is gone.', empty: true } },
      errors: [accessErrors.token_not_found],
      async handle({ caller, actor, params }) {
        await access.revokeToken(ports, caller, actor, params.id);
        return { status: 204 };
      },
    }),
  ];
}

function tenantRoutes(ports: access.AccessPorts): HubRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/tenants',
      summary: 'Make a tenant',
      tags: ['Tenants'],
      access: 'tenants:write',
      audit: 'tenant.create',
      body: schemas.TenantBody,
      replies: { 201: { description: 'The tenant.', schema: schemas.Tenant } },
      errors: [accessErrors.tenant_exists],
      async handle({ actor, body }) {
        const tenant = await access.createTenant(ports, actor, body.name);
        return { status: 201, body: schemas.shownTenant(tenant) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/tenants',
      summary: 'List the tenants',
      description: 'By name.',
      tags: ['Tenants'],
      access: 'tenants:read',
      audit: NO_ENTRY,
      query: schemas.TenantPage,
      replies: { 200: { description: 'A page of tenants.', schema: schemas.pageOf(schemas.Tenant) } },
      async handle({ query: { after, limit = schemas.DEFAULT_LIMIT } }) {
        const page = { limit: limit + 1, ...(after === undefined ? {} : { after }) };
        const tenants = await access.listTenants(ports, page);
        return { status: 200, body: paged(tenants.map(schemas.shownTenant), limit, (tenant) => tenant.name) };
      },
    }),
  ];
}

/** A page made of one item more than it shows, which tells whether another page follows. */
function paged<I>(found: readonly I[], limit: number, cursor: (item: I) => string) {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, next: found.length > limit && last !== undefined ? cursor(last) : null };
}
