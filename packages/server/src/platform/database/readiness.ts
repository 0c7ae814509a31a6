import { sql } from 'kysely';
import { Gauge, type Registry } from 'prom-client';
import type { Database } from './database.ts';
import { databaseErrors } from './errors.ts';
import type { Migration } from './migrate.ts';

/**
 * What `/readyz` asks of the database: it answers, takes writes, has the schema of this hub, and is still the
 * one the hub started with (a restored or swapped database has another store id).
 */
export function databaseChecks(
  database: Database,
  migrations: readonly Migration[],
  storeId: string,
): Record<'database' | 'migrations' | 'store', () => Promise<void>> {
  return {
    async database() {
      const { rows } = await database.acrossTenants((tx) =>
        sql<{ readonly: boolean }>`select current_setting('transaction_read_only')::bool as readonly`.execute(
          tx,
        ),
      );
      if (rows[0]?.readonly) throw databaseErrors.database_read_only();
    },
    async migrations() {
      const newest = await database.acrossTenants((tx) =>
        tx.selectFrom('migrations').select('version').orderBy('version', 'desc').executeTakeFirst(),
      );
      if ((newest?.version ?? 0) > migrations.length) throw databaseErrors.database_newer();
      if (newest?.version !== migrations.length) throw databaseErrors.database_changed();
    },
    async store() {
      const store = await database.acrossTenants((tx) =>
        tx.selectFrom('store').select('id').executeTakeFirst(),
      );
      if (store?.id !== storeId)
        throw databaseErrors.database_changed({
          detail: 'The database is not the one this hub started with.',
        });
    },
  };
}

/** The id a database got with its first migration: tells one hub's store from another's. */
export async function readStoreId(database: Database): Promise<string> {
  const { id } = await database.acrossTenants((tx) =>
    tx.selectFrom('store').select('id').executeTakeFirstOrThrow(),
  );
  return id;
}

/**
 * Metrics of the database. The age of the oldest transaction is the one to watch: a long one keeps every dead
 * row of the narrow tables alive (engine rule 10).
 */
export function measureDatabase(database: Database, registry: Registry): Gauge {
  return new Gauge({
    name: 'linkspan_database_oldest_transaction_seconds',
    help: 'Age of the oldest open transaction in this database, in seconds; -1 while the database is away.',
    registers: [registry],
    async collect() {
      this.set(await oldestTransaction(database).catch(() => -1));
    },
  });
}

async function oldestTransaction(database: Database): Promise<number> {
  const { rows } = await database.acrossTenants(async (tx) => {
    await sql`set local role none`.execute(tx); // sessions show themselves to the login they belong to alone
    return sql<{ seconds: number | null }>`
      select max(extract(epoch from clock_timestamp() - xact_start))::float8 as seconds
      from pg_stat_activity
      where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
    `.execute(tx);
  });
  return rows[0]?.seconds ?? 0;
}
