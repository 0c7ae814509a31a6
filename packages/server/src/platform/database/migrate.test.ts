import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { cloneDatabase } from '../../../test/support/database.ts';
import { migrations as ours } from '../../../test/support/test-server.ts';
import { createLog } from '../log.ts';
import type { DatabaseTarget } from './connection.ts';
import { migrate, readMigrations, refuseServer } from './migrate.ts';
import { query } from './query.testing.ts';
import { oldest, startPlainServer, withoutOldest } from './plain-server.testing.ts';

const silent = createLog({ level: 'silent' });

/** A folder of migration files that is removed after the test. */
async function folderOf(t: TestContext, files: Record<string, string>): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'linkspan-migrations-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, sql] of Object.entries(files)) await writeFile(join(folder, name), sql);
  return pathToFileURL(`${folder}/`);
}

const ONE = { '000001_one.sql': 'create table one (a int);' };
const TWO = { ...ONE, '000002_two.sql': 'create table two (a int);' };

const applied = (target: DatabaseTarget) =>
  query<{ version: number; name: string }>(target, 'select version, name from migrations order by version');

describe('reading migrations', () => {
  it('takes the files in order, with a digest of what each says', async (t) => {
    const [one, two, ...more] = await readMigrations(await folderOf(t, { ...TWO, 'schema.sql': 'not one' }));
    assert.deepEqual([one?.name, two?.name, more.length], ['000001_one.sql', '000002_two.sql', 0]);
    const [other] = await readMigrations(
      await folderOf(t, { '000001_one.sql': 'create table one (b int);' }),
    );
    assert.notEqual(one?.digest, other?.digest);
  });

  it('refuses a gap and a number given twice', async (t) => {
    const gap = await folderOf(t, { ...ONE, '000003_three.sql': '' });
    await assert.rejects(readMigrations(gap), /Migration 2 is missing before 000003_three\.sql/);
    const twice = await folderOf(t, { ...ONE, '000001_uno.sql': '' });
    await assert.rejects(readMigrations(twice), /000001_uno\.sql/);
  });
});

describe('migrating', () => {
  it('applies what is missing, once', async (t) => {
    const target = await cloneDatabase(t, 'bare');
    await migrate(target, await readMigrations(await folderOf(t, ONE)), silent);
    const two = await readMigrations(await folderOf(t, TWO));
    await migrate(target, two, silent);
    await migrate(target, two, silent);
    assert.deepEqual(await applied(target), [
      { version: 1, name: '000001_one.sql' },
      { version: 2, name: '000002_two.sql' },
    ]);
    assert.deepEqual(await query(target, 'select a from one union select a from two'), []);
  });

  it('lets hubs that start together wait for one another', async (t) => {
    const target = await cloneDatabase(t, 'bare');
    const lines: string[] = [];
    const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } });
    await Promise.all(Array.from({ length: 4 }, () => migrate(target, ours, log)));
    assert.equal(lines.length, ours.length, 'each migration runs once');
  });

  it('keeps nothing of a migration that fails, and all of those before', async (t) => {
    const target = await cloneDatabase(t, 'bare');
    const files = { ...ONE, '000002_two.sql': 'create table two (a int); insert into nowhere values (1);' };
    await assert.rejects(migrate(target, await readMigrations(await folderOf(t, files)), silent), {
      code: '42P01',
    });
    assert.deepEqual(await applied(target), [{ version: 1, name: '000001_one.sql' }]);
    await migrate(target, await readMigrations(await folderOf(t, TWO)), silent);
    assert.equal((await applied(target)).length, 2);
  });

  it('refuses a schema that a newer hub wrote, and leaves it as it is', async (t) => {
    const target = await cloneDatabase(t, 'bare');
    await migrate(target, await readMigrations(await folderOf(t, TWO)), silent);
    const older = await readMigrations(await folderOf(t, ONE));
    await assert.rejects(migrate(target, older, silent), {
      code: 'database_newer',
      message: /000002_two\.sql/,
    });
    assert.equal((await applied(target)).length, 2);
  });

  it('refuses a migration that was changed after it ran', async (t) => {
    const target = await cloneDatabase(t, 'bare');
    await migrate(target, await readMigrations(await folderOf(t, ONE)), silent);
    const changed = await readMigrations(await folderOf(t, { ...TWO, '000001_one.sql': 'select 1;' }));
    await assert.rejects(migrate(target, changed, silent), {
      code: 'database_changed',
      message: /000001_one\.sql/,
    });
    assert.equal((await applied(target)).length, 1, 'the second is not applied either');
  });

  it('tells a read-only server, and one that is not there', async (t) => {
    const target = await cloneDatabase(t, 'bare');
    const { database } = new pg.Client(target);
    await query(target, `alter database ${database} set default_transaction_read_only = on`);
    await assert.rejects(migrate(target, ours, silent), { code: 'database_read_only' });
    await assert.rejects(migrate({ host: '/nowhere' }, ours, silent), { code: 'database_unavailable' });
  });

  it('tells a refused login and a missing database in the words of the server', async (t) => {
    const { connectionString = '' } = await cloneDatabase(t, 'bare');
    const wrong = new URL(connectionString);
    wrong.password = 'canary-password';
    await assert.rejects(migrate({ connectionString: wrong.href }, ours, silent), {
      code: 'database_access_denied',
      message: /^password authentication failed for user "linkspan"$/,
    });
    const missing = new URL(connectionString);
    missing.pathname = '/not_there';
    await assert.rejects(migrate({ connectionString: missing.href }, ours, silent), {
      code: 'database_access_denied',
      message: /"not_there" does not exist/,
    });
  });

  it('refuses a server that is too old', () => {
    assert.throws(() => refuseServer({ number: 140_018, readonly: false }), { code: 'database_too_old' });
    refuseServer({ number: 150_000, readonly: false });
  });

  it('works on the oldest version there is support for', { skip: withoutOldest }, async (t) => {
    const { target } = await startPlainServer(t, oldest);
    await query(target, `create role hub login createrole password 'x'; `);
    await query(target, 'create database hub owner hub');
    const hub = { ...target, user: 'hub', database: 'hub' };
    await migrate(hub, ours, silent);
    assert.equal((await applied(hub)).length, ours.length);
    await migrate(hub, ours, silent);
  });
});
