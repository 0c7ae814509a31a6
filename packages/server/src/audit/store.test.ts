import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { sql } from 'kysely';
import { openTestDatabase } from '../../test/support/database.ts';
import { codeOf, type Database } from '../platform/database/index.ts';
import { newId } from '../platform/ids.ts';
import { recordAudit } from './index.ts';

async function start(t: TestContext) {
  const database = await openTestDatabase(t);
  const [blue, green] = [newId(), newId()];
  await database.acrossTenants((tx) =>
    tx
      .insertInto('tenants')
      .values([
        { tenant_id: blue, name: 'blue' },
        { tenant_id: green, name: 'green' },
      ])
      .execute(),
  );
  return { database, blue, green };
}

function entries(database: Database, tenant: string) {
  return database.asTenant(tenant, (tx) => tx.selectFrom('audit_entries').selectAll().execute());
}

test('an entry tells who did what to what, and how it ended', async (t) => {
  const { database, blue } = await start(t);
  const noted: string[] = [];
  const actor = {
    tenant: blue,
    principal: newId(),
    token: newId(),
    address: '10.0.0.1',
    requestId: 'request-1',
    noted: (name: string) => void noted.push(name),
  };
  await database.asTenant(blue, (tx) =>
    recordAudit(tx, actor, {
      name: 'token.create',
      target: 'it',
      outcome: 'refused',
      changes: { name: 'ci' },
    }),
  );
  const [entry] = await entries(database, blue);
  assert.ok(entry);
  const { entry_id, at, ...rest } = entry;
  assert.ok(Math.abs(at.getTime() - Date.now()) < 60_000);
  assert.match(entry_id, /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    tenant_id: blue,
    actor_id: actor.principal,
    token_id: actor.token,
    address: '10.0.0.1',
    resource: 'token',
    action: 'create',
    target: 'it',
    outcome: 'refused',
    changes: { name: 'ci' },
    request_id: 'request-1',
  });
  assert.deepEqual(noted, ['token.create']);
});

test('an entry goes when what it tells of is undone', async (t) => {
  const { database, blue } = await start(t);
  await assert.rejects(
    database.asTenant(blue, async (tx) => {
      await recordAudit(tx, { tenant: blue }, { name: 'token.create' });
      throw new Error('undone');
    }),
    /undone/,
  );
  assert.deepEqual(await entries(database, blue), []);
});

test('entries are of one tenant: others neither see nor write them', async (t) => {
  const { database, blue, green } = await start(t);
  await database.asTenant(blue, (tx) => recordAudit(tx, { tenant: blue }, { name: 'token.create' }));
  assert.equal((await entries(database, green)).length, 0);
  await assert.rejects(
    database.asTenant(green, (tx) => recordAudit(tx, { tenant: blue }, { name: 'token.create' })),
    (error) => codeOf(error) === '42501',
  );
  assert.equal((await entries(database, blue)).length, 1);
});

test('an entry can be changed and removed by nobody', async (t) => {
  const { database, blue } = await start(t);
  await database.asTenant(blue, (tx) => recordAudit(tx, { tenant: blue }, { name: 'token.create' }));
  for (const statement of [
    sql`update audit_entries set action = 'other'`,
    sql`delete from audit_entries`,
    sql`truncate audit_entries`,
  ]) {
    const denied = (error: unknown): boolean => codeOf(error) === '42501';
    await assert.rejects(
      database.asTenant(blue, (tx) => statement.execute(tx)),
      denied,
    );
    await assert.rejects(
      database.acrossTenants((tx) => statement.execute(tx)),
      denied,
    );
  }
  assert.equal((await entries(database, blue)).length, 1);
});
