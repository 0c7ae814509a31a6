import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import pg from 'pg';
import { cloneDatabase, openTestDatabase } from '../../../test/support/database.ts';
import type { HubError } from '../errors.ts';
import { createLog } from '../log.ts';
import { newId } from '../ids.ts';
import { openDatabase, type Database, type Transaction } from './database.ts';
import { ownPrograms, startPlainServer } from './plain-server.testing.ts';
import { migrate } from './migrate.ts';

const silent = createLog({ level: 'silent' });

function open(t: TestContext, target: Parameters<typeof openDatabase>[0]): Database {
  const database = openDatabase(target, silent);
  t.after(() => database.close());
  return database;
}

const one = (tx: Transaction) => sql<{ one: number }>`select 1 as one`.execute(tx);

/** Ends every connection to the database of `tx`'s own but this one; how many there were. */
async function cutOff(target: Parameters<typeof openDatabase>[0]): Promise<number> {
  const client = new pg.Client(target);
  await client.connect();
  const { rows } = await client.query(
    'select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  await client.end();
  return rows.length;
}

describe('a transaction', () => {
  it('is kept when its work resolves, and undone when it rejects', async (t) => {
    const database = await openTestDatabase(t);
    const insert = (name: string) => (tx: Transaction) =>
      tx.insertInto('tenants').values({ tenant_id: newId(), name }).execute();
    await database.acrossTenants(insert('kept'));
    const fault = new Error('changed my mind');
    await assert.rejects(
      database.acrossTenants(async (tx) => {
        await insert('undone')(tx);
        throw fault;
      }),
      (error) => error === fault,
    );
    const names = await database.acrossTenants((tx) => tx.selectFrom('tenants').select('name').execute());
    assert.deepEqual(names, [{ name: 'kept' }]);
  });

  it('refuses a tenant that is no id, before its work runs on rows', async (t) => {
    const database = await openTestDatabase(t);
    await assert.rejects(
      database.asTenant("x' or true --", (tx) => tx.selectFrom('tenants').selectAll().execute()),
      { code: '22P02' },
    );
  });

  it('is run again after a deadlock', async (t) => {
    const database = await openTestDatabase(t);
    const [left, right] = [newId(), newId()];
    await database
      .acrossTenants((tx) => sql`create temporary table nothing (a int)`.execute(tx))
      .catch(() => {});
    let runs = 0;
    const bothHold = Promise.withResolvers<void>();
    const locking = (first: string, second: string) => async (tx: Transaction) => {
      await sql`select pg_advisory_xact_lock(hashtext(${first}))`.execute(tx);
      if (++runs === 2) bothHold.resolve();
      await bothHold.promise;
      await sql`select pg_advisory_xact_lock(hashtext(${second}))`.execute(tx);
    };
    await Promise.all([
      database.acrossTenants(locking(left, right)),
      database.acrossTenants(locking(right, left)),
    ]);
    assert.equal(runs, 3);
  });

  it('is told to be late when it waits too long for a row, and undone', async (t) => {
    const database = await openTestDatabase(t);
    await assert.rejects(
      database.acrossTenants(async (tx) => {
        await sql`set local statement_timeout = 20`.execute(tx);
        await sql`select pg_sleep(5)`.execute(tx);
      }),
      { code: 'database_busy' },
    );
    await database.acrossTenants(one);
  });

  it('cannot write to a server that is set read-only', async (t) => {
    const target = await cloneDatabase(t);
    const database = open(t, target);
    await assert.rejects(
      database.acrossTenants(async (tx) => {
        await sql`set transaction read only`.execute(tx);
        await tx.insertInto('tenants').values({ tenant_id: newId(), name: 'one' }).execute();
      }),
      { code: 'database_read_only' },
    );
  });
});

describe('a lost connection', () => {
  it('is replaced when it was idle', async (t) => {
    const target = await cloneDatabase(t);
    const database = open(t, target);
    await database.acrossTenants(one);
    assert.equal(await cutOff(target), 1);
    await worksAgain(database);
  });

  it('ends the transaction it carried as unavailable, and the next one works', async (t) => {
    const target = await cloneDatabase(t);
    const database = open(t, target);
    const asleep = database.acrossTenants((tx) => sql`select pg_sleep(30)`.execute(tx));
    const told = assert.rejects(asleep, { code: 'database_unavailable' });
    while ((await cutOff(target)) === 0) await pause(5);
    await told;
    await worksAgain(database);
  });

  it('ends a transaction that was between two statements as well, and not the process', async (t) => {
    const target = await cloneDatabase(t);
    const database = open(t, target);
    const told = database.acrossTenants(async (tx) => {
      await one(tx);
      assert.equal(await cutOff(target), 1);
      await one(tx);
    });
    await assert.rejects(told, { code: 'database_unavailable' });
    await worksAgain(database);
  });

  it('is told as unavailable while the server is away, and work goes on when it is back', async (t) => {
    const server = await startPlainServer(t, await ownPrograms());
    const database = open(t, server.target);
    await migrate(server.target, [], silent);
    await database.acrossTenants(one);
    await server.stop();
    await assert.rejects(
      async () => {
        for (let tries = 0; tries < 3; tries++) await database.acrossTenants(one);
      },
      (error: HubError) => error.code === 'database_unavailable' && error.occurrence.retryAfter === 1,
    );
    await server.start();
    await worksAgain(database);
  });

  it('is unavailable when nobody listens', async (t) => {
    const database = open(t, { host: '127.0.0.1', port: 1, user: 'x', database: 'x' });
    await assert.rejects(database.acrossTenants(one), { code: 'database_unavailable' });
  });
});

/** Within a second: the pool may hand out a connection before it learnt that it is lost. */
async function worksAgain(database: Database): Promise<void> {
  for (const deadline = Date.now() + 5_000; ; await pause(10)) {
    try {
      assert.deepEqual((await database.acrossTenants(one)).rows, [{ one: 1 }]);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== 'database_unavailable' || Date.now() > deadline) throw error;
    }
  }
}
