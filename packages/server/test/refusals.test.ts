import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { ORDINARY, root, unlessOpen } from '../src/platform/database/embedded/testing.ts';
import { query } from '../src/platform/database/query.testing.ts';
import { cloneDatabase } from './support/database.ts';
import { openPlace, type Ending, type Env } from './support/hub-process.ts';

/** A start that fails ends with 3, and tells a person what to do, without a stack trace. */
function assertTold(ending: Ending, code: string, hint: RegExp): void {
  assert.equal(ending.code, 3, ending.log);
  assert.match(ending.told, /^Linkspan could not start\. /);
  if (code !== '') assert.match(ending.told, new RegExp(`\\(${code}\\)\\n$`));
  assert.match(ending.told, hint);
  assert.doesNotMatch(ending.told, /^\s+at |node:internal|\.ts:\d/m);
  assert.equal(ending.out, '');
}

describe('a wrong configuration', () => {
  it('ends the start with 2; every fault is named with an example, no value is shown', async (t) => {
    const place = await openPlace(t);
    const wrong = {
      LINKSPAN_PORT: '70040',
      LINKSPAN_HOST: 'http://wrong-host',
      LINKSPAN_DATABASE_URL: 'mysql://user:wrong-password@db/x',
      LINKSPAN_ADMIN_TOKEN: 'wrong-token',
      LINKSPAN_MASTER_KEY: 'wrong-key',
    };
    const ending = await place.refused({ ...wrong, LINKSPAN_PROT: '1' });
    assert.equal(ending.code, 2);
    assert.equal(ending.out, '');
    assert.equal(ending.told, ending.log, 'nothing of it is a line of the log');
    for (const [name, value] of Object.entries(wrong)) {
      assert.match(ending.told, new RegExp(`^${name} must .+ Example: ${name}=\\S`, 'm'));
      assert.ok(!ending.told.includes(value), value);
    }
    assert.match(ending.told, /LINKSPAN_PROT is not a variable of the hub. Did you mean LINKSPAN_PORT\?/);
    assert.doesNotMatch(ending.told, /^\s+at /m);
  });
});

describe('a port', () => {
  it('that is taken ends the start, and the message names the way out', async (t) => {
    const taken = createServer().listen(0, '127.0.0.1');
    t.after(() => taken.close());
    await once(taken, 'listening');
    const place = await openPlace(t);
    const { connectionString = '' } = await cloneDatabase(t);
    const { port } = taken.address() as AddressInfo;
    const ending = await place.refused({
      LINKSPAN_DATABASE_URL: connectionString,
      LINKSPAN_PORT: String(port),
    });
    assertTold(ending, '', new RegExp(`Port ${port} of 127\\.0\\.0\\.1 is taken.*LINKSPAN_PORT`));
  });

  it('of an address this machine does not have ends the start', async (t) => {
    const place = await openPlace(t);
    const { connectionString = '' } = await cloneDatabase(t);
    const ending = await place.refused({
      LINKSPAN_DATABASE_URL: connectionString,
      LINKSPAN_HOST: '192.0.2.1',
    });
    assertTold(ending, '', /no address 192\.0\.2\.1.*LINKSPAN_HOST/);
  });
});

describe('a data directory', () => {
  it('that cannot be written ends the start', async (t) => {
    // Root is refused by no mode: it becomes an ordinary account, or where that one cannot enter, tries a folder of the system's own.
    const account = root && !unlessOpen ? ORDINARY : undefined;
    const place = await openPlace(t, {}, account);
    const closed = root && !account ? '/sys/linkspan' : join(place.dataDir, 'closed');
    if (closed.startsWith(place.dataDir)) await mkdir(closed, { mode: 0o555 });
    const ending = await place.refused({ LINKSPAN_DATA_DIR: join(closed, 'data') });
    assertTold(ending, 'data_directory_unwritable', /LINKSPAN_DATA_DIR/);
    assert.ok(ending.told.includes(closed));
  });

  it('that is a file ends the start', async (t) => {
    const place = await openPlace(t);
    const file = join(place.dataDir, 'file');
    await writeFile(file, '');
    const ending = await place.refused({ LINKSPAN_DATA_DIR: file });
    assertTold(ending, 'data_directory_not_a_directory', /Move that file away/);
  });

  it('of a running hub ends the start of a second, and leaves the first alone', async (t) => {
    const place = await openPlace(t);
    const first = await place.start();
    const ending = await place.refused();
    assertTold(ending, 'data_directory_in_use', new RegExp(`process ${first.pid}\\b`));
    assert.equal((await first.ask({ path: '/readyz' })).status, 200);
  });
});

describe('a master key', () => {
  it('that is another than the one of the database ends the start', async (t) => {
    const { place, env } = await placeWithDatabase(t);
    const first = await place.start({ ...env, LINKSPAN_MASTER_KEY: 'a'.repeat(64) });
    await first.end('SIGTERM');
    const ending = await place.refused({ ...env, LINKSPAN_MASTER_KEY: 'b'.repeat(64) });
    assertTold(ending, 'master_key_mismatch', /Nothing was changed/);
    assert.ok(!ending.log.includes('bbbb'));
  });

  it('whose file is gone ends the start, and no new one is made', async (t) => {
    const { place, env } = await placeWithDatabase(t);
    await (await place.start(env)).end('SIGTERM');
    const elsewhere = await openPlace(t, env);
    assertTold(await elsewhere.refused(), 'master_key_missing', /from your backup/);
    assertTold(await elsewhere.refused(), 'master_key_missing', /from your backup/);
  });
});

describe('a database', () => {
  const migrationFaults: readonly (readonly [string, string, string, RegExp])[] = [
    [
      'that a newer hub migrated',
      "insert into linkspan.migrations select max(version) + 1, '999999_later.sql', 'x' from linkspan.migrations",
      'database_newer',
      /999999_later\.sql/,
    ],
    [
      'whose applied migration differs',
      "update linkspan.migrations set digest = 'x' where version = 1",
      'database_changed',
      /000001_house\.sql was changed/,
    ],
  ];
  for (const [what, statement, code, hint] of migrationFaults)
    it(`${what} ends the start`, async (t) => {
      const { place, env, connectionString } = await placeWithDatabase(t);
      await query({ connectionString }, statement);
      assertTold(await place.refused(env), code, hint);
    });

  it('that takes no writes ends the start', async (t) => {
    const { place, env, connectionString } = await placeWithDatabase(t);
    const name = new pg.Client(connectionString).database;
    await query({ connectionString }, `alter database ${name} set default_transaction_read_only = on`);
    assertTold(await place.refused(env), 'database_read_only', /LINKSPAN_DATABASE_URL at the primary/);
  });

  it('that refuses the login ends the start, and shows no password', async (t) => {
    const { place, connectionString } = await placeWithDatabase(t);
    const url = new URL(connectionString);
    url.password = 'no-such-password';
    const ending = await place.refused({ LINKSPAN_DATABASE_URL: url.href });
    assertTold(ending, 'database_access_denied', /Check user, password and database name/);
    assert.ok(!ending.log.includes('no-such-password'));
  });

  it('that does not exist ends the start', async (t) => {
    const { place, connectionString } = await placeWithDatabase(t);
    const url = new URL(connectionString);
    url.pathname = '/no_such_database';
    const ending = await place.refused({ LINKSPAN_DATABASE_URL: url.href });
    assertTold(ending, 'database_access_denied', /"no_such_database" does not exist/);
  });

  it('that nobody answers for ends the start when the time to wait is over', async (t) => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    await new Promise((resolve) => silent.close(resolve));
    const place = await openPlace(t, {
      LINKSPAN_DATABASE_URL: `postgres://linkspan:secret@127.0.0.1:${port}/linkspan`,
      LINKSPAN_DATABASE_WAIT: '0',
    });
    const ending = await place.refused();
    assertTold(ending, 'database_unavailable', /check that PostgreSQL runs/);
    assert.ok(!ending.log.includes('secret'));
  });
});

async function placeWithDatabase(t: TestContext) {
  const place = await openPlace(t);
  const { connectionString = '' } = await cloneDatabase(t);
  const env: Env = { LINKSPAN_DATABASE_URL: connectionString };
  return { place, env, connectionString };
}
