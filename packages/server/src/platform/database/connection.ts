import { types as pgTypes, type ClientConfig, type CustomTypesConfig } from 'pg';

/** Where a database is; what `pg` takes. `options` are added by the hub. */
export interface DatabaseTarget {
  readonly connectionString?: string;
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

/**
 * The two roles of the hub in the database. Neither logs in: a connection takes its role as it starts, and
 * `RESET ROLE` leads back to the same one.
 * `linkspan_api` sees one tenant's rows, and only after the tenant was named in the transaction;
 * `linkspan_hub` sees all tenants: the engine, sweeps and the look-up of a token before its tenant is known.
 */
export type DatabaseRole = 'linkspan_api' | 'linkspan_hub';

export const SCHEMA = 'linkspan';

/** Milliseconds. No statement and no transaction of the hub is meant to last; a stuck one must not pin rows. */
export const TIMEOUTS = { connect: 5_000, statement: 30_000, lock: 10_000, idleInTransaction: 60_000 };

/** Connection settings for one role, or for the owner of the tables (migrations) when no role is given. */
export function clientConfig(target: DatabaseTarget, role?: DatabaseRole): ClientConfig {
  const settings: Record<string, string | number> = {
    search_path: SCHEMA,
    TimeZone: 'UTC',
    statement_timeout: role ? TIMEOUTS.statement : 0,
    lock_timeout: role ? TIMEOUTS.lock : 0,
    idle_in_transaction_session_timeout: TIMEOUTS.idleInTransaction,
    ...(role ? { role } : {}),
  };
  return {
    ...target,
    application_name: role ?? 'linkspan_owner',
    connectionTimeoutMillis: TIMEOUTS.connect,
    keepAlive: true,
    types,
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  };
}

/** `bigint` columns hold counts and positions below 2^53 and are read as numbers. */
const types: CustomTypesConfig = {
  getTypeParser: (oid: Parameters<typeof pgTypes.getTypeParser>[0], format?: 'text' | 'binary') =>
    oid === pgTypes.builtins.INT8 ? Number : pgTypes.getTypeParser(oid, format ?? 'text'),
};
