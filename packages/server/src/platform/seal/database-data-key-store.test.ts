import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { openTestDatabase } from '../../../test/support/database.ts';
import { systemClock } from '../clock.ts';
import type { Database } from '../database/index.ts';
import { newId } from '../ids.ts';
import { testDataKeyStore } from './data-key-store.contract.ts';
import { openDatabaseDataKeyStore } from './database-data-key-store.ts';
import { MasterKey } from './master-key.ts';
import { createSealer } from './sealer.ts';

async function makeTenant(database: Database): Promise<string> {
  const id = newId();
  await database.acrossTenants((tx) =>
    tx
      .insertInto('tenants')
      .values({ tenant_id: id, name: `t-${id}` })
      .execute(),
  );
  return id;
}

async function open(t: TestContext) {
  const database = await openTestDatabase(t);
  const store = openDatabaseDataKeyStore(database);
  return { database, store, own: await makeTenant(database), other: await makeTenant(database) };
}

testDataKeyStore('the database', open);

describe('data keys in the database, beyond the contract', () => {
  it('walks through more keys than one page holds', async (t) => {
    const { database, store, own } = await open(t);
    const rows = Array.from({ length: 1_000 }, (_, index) => ({
      tenant_id: own,
      key_id: randomUUID(),
      generation: index + 1,
      master_id: 'aaaaaaaaaaaaaaaa',
      wrapped: Buffer.alloc(1),
    }));
    await database.acrossTenants((tx) => tx.insertInto('data_keys').values(rows).execute());
    const found = (await Array.fromAsync(store.all())).map(({ id }) => id);
    assert.deepEqual(found, rows.map((row) => row.key_id).toSorted());
  });

  it('refuses a tenant spelt otherwise than the database spells it, instead of keeping a key that never opens', async (t) => {
    const { store, own } = await open(t);
    for (const scope of [own.toUpperCase(), 'tenant-a', '']) {
      const key = { id: randomUUID(), scope, generation: 1, masterId: 'a', wrapped: Buffer.alloc(1) };
      await assert.rejects(store.insert(key), TypeError);
    }
    assert.deepEqual(await Array.fromAsync(store.all()), []);
  });

  it('lets nodes that seal for a new tenant at the same time agree on one key', async (t) => {
    const { store, own } = await open(t);
    const bytes = randomBytes(32);
    const newNode = () =>
      createSealer({ store, master: new MasterKey(Buffer.from(bytes)), clock: systemClock });
    const place = { scope: own, purpose: 'test', record: 'r' };
    const sealed = await Promise.all(['a', 'b', 'c', 'd'].map((text) => newNode().seal(place, text)));
    const reader = newNode();
    const opened = await Promise.all(sealed.map((value) => reader.open(place, value)));
    assert.deepEqual(opened.map(String), ['a', 'b', 'c', 'd']);
    assert.equal((await Array.fromAsync(store.all())).length, 1);
  });

  it('keeps a tenant from the keys of all', async (t) => {
    const { database, own } = await open(t);
    await assert.rejects(
      database.asTenant(own, (tx) => tx.selectFrom('data_keys').selectAll().execute()),
      { code: '42501' },
    );
  });
});
