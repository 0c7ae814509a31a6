import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { Client } from 'pg';
import type { Log } from '../log.ts';
import { clientConfig, SCHEMA, type DatabaseTarget } from './connection.ts';
import { databaseErrors } from './errors.ts';
import { codeOf, understood } from './faults.ts';
import { ensureRoles } from './roles.ts';

/** One forward step of the schema: `000001_house.sql`. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  readonly digest: string;
}

/** Any number, as long as every hub uses the same: one migrates at a time. */
const MIGRATION_LOCK = 7_004_000_001;

const OLDEST_SERVER = 150_000;

/** Reads a folder of migrations in order. The numbers must be 1, 2, 3, … without a gap. */
export async function readMigrations(folder: URL): Promise<Migration[]> {
  const files = (await readdir(folder)).filter((file) => /^\d{6}_[a-z0-9-]+\.sql$/.test(file)).toSorted();
  return Promise.all(
    files.map(async (file, index) => {
      const version = Number(file.slice(0, 6));
      if (version !== index + 1) throw new Error(`Migration ${index + 1} is missing before ${file}.`);
      const sql = await readFile(new URL(file, folder), 'utf8');
      return { version, name: file, sql, digest: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/**
 * Brings the schema up to date, as the owner of the tables. Hubs that start together wait for one another.
 *
 * @throws HubError `database_too_old`, `database_newer`, `database_changed`, `database_access_denied`,
 *   `database_read_only`, `database_unavailable`. Each stops the start.
 */
export async function migrate(
  target: DatabaseTarget,
  migrations: readonly Migration[],
  log: Log,
): Promise<void> {
  const client = new Client(clientConfig(target));
  client.on('error', () => {}); // the query under way rejects as well
  try {
    await client.connect();
    await refuseOldServer(client);
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await ensureRoles(client);
    await ensureLedger(client);
    await applyMissing(client, migrations, log);
  } catch (error) {
    throw startFault(error);
  } finally {
    await client.end().catch(() => {}); // also frees the lock
  }
}

async function refuseOldServer(client: Client): Promise<void> {
  const { rows } = await client.query<{ number: number; readonly: boolean }>(
    `select current_setting('server_version_num')::int as number,
            current_setting('transaction_read_only')::bool as readonly`,
  );
  if (rows[0]) refuseServer(rows[0]);
}

/** `number` is the server's `server_version_num`. */
export function refuseServer(server: { number: number; readonly: boolean }): void {
  if (server.number < OLDEST_SERVER) throw databaseErrors.database_too_old();
  if (server.readonly) throw databaseErrors.database_read_only();
}

async function ensureLedger(client: Client): Promise<void> {
  await client.query(`
    create schema if not exists ${SCHEMA};
    grant usage on schema ${SCHEMA} to linkspan_api, linkspan_hub;
    create table if not exists ${SCHEMA}.migrations (
      version    integer     primary key,
      name       text        not null,
      digest     text        not null,
      applied_at timestamptz not null default now()
    );
    grant select on ${SCHEMA}.migrations to linkspan_hub;
  `);
}

async function applyMissing(client: Client, migrations: readonly Migration[], log: Log): Promise<void> {
  const { rows } = await client.query<Omit<Migration, 'sql'>>(
    'select version, name, digest from migrations order by version',
  );
  const newest = rows.at(-1);
  if (newest && newest.version > migrations.length)
    throw databaseErrors.database_newer({
      detail: `It holds migration ${newest.name}, unknown to this hub.`,
    });
  for (const migration of migrations) {
    const applied = rows[migration.version - 1];
    if (!applied) await apply(client, migration, log);
    else if (applied.digest !== migration.digest)
      throw databaseErrors.database_changed({
        detail: `Migration ${migration.name} was changed after it ran.`,
      });
  }
}

async function apply(client: Client, migration: Migration, log: Log): Promise<void> {
  await client.query('begin');
  await client.query(migration.sql);
  await client.query('insert into migrations (version, name, digest) values ($1, $2, $3)', [
    migration.version,
    migration.name,
    migration.digest,
  ]);
  await client.query('commit');
  log.info('migration applied', { version: migration.name });
}

/** At start a refused login or a missing right is the operator's to mend, so its own words are shown. */
function startFault(error: unknown): unknown {
  const code = codeOf(error) ?? '';
  if (/^28|^42501$|^3D000$/.test(code))
    return databaseErrors.database_access_denied({ detail: (error as Error).message, cause: error });
  return understood(error);
}
