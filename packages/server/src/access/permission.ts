/**
 * The permission catalogue. Routes name one of these; nothing checks a permission that is not here, and a test
 * finds one here that nothing checks.
 */
export const permissionCatalogue = {
  'catalog:read': 'Read what connectors and actions there are.',
  'calls:read': 'Read calls of the tenant, with their results.',
  'calls:resolve': 'Decide about calls of the tenant that wait for a person.',
  'calls:write': 'Start, cancel and redrive calls of the tenant.',
  'consumers:read': 'Read how far the consumers of events are, which serve all tenants.',
  'consumers:write': 'Move consumers of events, and have them try again what they gave up, for all tenants.',
  'events:publish': 'Publish events of the tenant, of types that begin with `app.`.',
  'events:read': 'Follow the events of the tenant.',
  'metrics:read': 'Read the metrics from another machine.',
  'tenants:read': 'List the tenants.',
  'tenants:write': 'Make tenants, and tokens for any tenant.',
  'tokens:read': 'List the tokens of the tenant.',
  'tokens:write': 'Make and revoke tokens of the tenant.',
} as const;

/** A name of the catalogue. */
export type Permission = keyof typeof permissionCatalogue;

/** What a token may carry: permissions, or `*` for every one there is and will be. */
export type Grant = Permission | '*';

export const everyGrant: readonly Grant[] = ['*', ...(Object.keys(permissionCatalogue) as Permission[])];

/** Whether these grants allow what the permission names. */
export function permits(grants: ReadonlySet<string>, permission: string): boolean {
  return grants.has('*') || grants.has(permission);
}

/** Those of the wanted grants that lie beyond the grants held: nobody hands out more than they have. */
export function beyond(held: ReadonlySet<string>, wanted: readonly Grant[]): Grant[] {
  return wanted.filter((grant) => !permits(held, grant));
}
