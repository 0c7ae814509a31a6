import { defineRoute, type HubRoute } from '../access/index.ts';
import type { Catalog } from './catalog.ts';
import { catalogErrors } from './errors.ts';
import * as schemas from './schemas.ts';

const NO_ENTRY = { none: 'Reading the catalog changes nothing.' };

/** The routes of connectors and actions. */
export function catalogRoutes({ catalog }: { readonly catalog: Catalog }): HubRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/connectors',
      summary: 'List the connectors',
      description: 'By id.',
      tags: ['Catalog'],
      access: 'catalog:read',
      audit: NO_ENTRY,
      query: schemas.ConnectorPage,
      replies: { 200: { description: 'A page of connectors.', schema: schemas.pageOf(schemas.Connector) } },
      handle: ({ query }) => ({
        status: 200,
        body: paged(catalog.connectors, query, schemas.shownConnector),
      }),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/connectors/:id',
      summary: 'Read a connector',
      tags: ['Catalog'],
      access: 'catalog:read',
      audit: NO_ENTRY,
      params: schemas.ConnectorParams,
      replies: { 200: { description: 'The connector.', schema: schemas.Connector } },
      errors: [catalogErrors.connector_not_found],
      handle: ({ params }) => ({ status: 200, body: schemas.shownConnector(catalog.connector(params.id)) }),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/actions',
      summary: 'List the actions',
      description: 'By id; each with its schemas, its errors and examples.',
      tags: ['Catalog'],
      access: 'catalog:read',
      audit: NO_ENTRY,
      query: schemas.ActionPage,
      replies: { 200: { description: 'A page of actions.', schema: schemas.pageOf(schemas.Action) } },
      handle: ({ query }) => ({ status: 200, body: paged(catalog.actions, query, schemas.shownAction) }),
    }),
  ];
}

/** A page of a list that is in the order of its ids. */
function paged<T extends { readonly id: string }, S>(
  all: readonly T[],
  { after = '', limit = schemas.DEFAULT_LIMIT }: { after?: string; limit?: number },
  shown: (item: T) => S,
): { items: S[]; next: string | null } {
  const rest = all.filter((item) => item.id > after);
  const items = rest.slice(0, limit);
  return { items: items.map(shown), next: rest.length > limit ? (items.at(-1)?.id ?? null) : null };
}
