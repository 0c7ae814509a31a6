import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { sql } from 'kysely';
import pg from 'pg';
import { Registry } from 'prom-client';
import { cloneDatabase } from '../../../test/support/database.ts';
import { migrations } from '../../../test/support/test-server.ts';
import { createLog } from '../log.ts';
import { openDatabase, type Database } from './database.ts';
import { query } from './query.testing.ts';
import { databaseChecks, measureDatabase } from './readiness.ts';

const silent = createLog({ level: 'silent' });

async function open(t: TestContext) {
  const target = await cloneDatabase(t);
  const database = openDatabase(target, silent);
  t.after(() => database.close());
  const store = await database.acrossTenants((tx) =>
    tx.selectFrom('store').select('id').executeTakeFirstOrThrow(),
  );
  return { target, database, checks: databaseChecks(database, migrations, store.id) };
}

describe('readiness of the database', () => {
  it('is given with the schema and the store the hub started with', async (t) => {
    const { checks } = await open(t);
    await checks.database();
    await checks.migrations();
    await checks.store();
  });

  it('is lost when a newer hub migrated it, or a migration is missing', async (t) => {
    const { target, checks } = await open(t);
    await query(target, `insert into linkspan.migrations values (${migrations.length + 1}, 'newer', 'x')`);
    await assert.rejects(checks.migrations(), { code: 'database_newer' });
    await query(target, `delete from linkspan.migrations where version >= ${migrations.length}`);
    await assert.rejects(checks.migrations(), { code: 'database_changed' });
  });

  it('is lost when the database is another one', async (t) => {
    const { target, checks } = await open(t);
    await query(target, 'update linkspan.store set id = gen_random_uuid()');
    await assert.rejects(checks.store(), { code: 'database_changed' });
  });

  it('is lost when the server takes no writes', async (t) => {
    const { target } = await open(t);
    await query(
      target,
      `alter database ${new pg.Client(target).database} set default_transaction_read_only = on`,
    );
    const reopened = openDatabase(target, silent);
    t.after(() => reopened.close());
    await assert.rejects(databaseChecks(reopened, migrations, '').database(), { code: 'database_read_only' });
  });
});

describe('the metric of the oldest transaction', () => {
  it('is the age of the oldest, of whichever role', async (t) => {
    const { database } = await open(t);
    const age = await metric(database);
    assert.equal(await age(), 0);
    const opened = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    const long = database.asTenant('00000000-0000-0000-0000-000000000001', async (tx) => {
      await sql`select pg_sleep(0.2)`.execute(tx);
      opened.resolve();
      await end.promise;
    });
    await opened.promise;
    const seconds = await age();
    end.resolve();
    await long;
    assert.ok(seconds >= 0.2 && seconds < 60, `${seconds}`);
    assert.equal(await age(), 0);
  });

  it('is -1 while the database is away', async (t) => {
    const database = openDatabase({ host: '/nowhere' }, silent);
    t.after(() => database.close());
    assert.equal(await (await metric(database))(), -1);
  });
});

async function metric(database: Database): Promise<() => Promise<number>> {
  const registry = new Registry();
  measureDatabase(database, registry);
  return async () => {
    const [gauge] = await registry.getMetricsAsJSON();
    return gauge?.values[0]?.value as number;
  };
}
