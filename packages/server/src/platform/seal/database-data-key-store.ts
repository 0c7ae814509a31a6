import type { Database, Transaction } from '../database/index.ts';
import type { DataKeyStore, WrappedKey } from './data-key-store.ts';

/** Rows of one short transaction while all are read: a long snapshot would hold dead rows of other tables. */
const PAGE = 500;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Row {
  readonly tenant_id: string;
  readonly key_id: string;
  readonly generation: number;
  readonly master_id: string;
  readonly wrapped: Buffer;
}

/** Data keys in the table `data_keys`. A scope is the id of a tenant, in lower case. */
export function openDatabaseDataKeyStore(database: Database): DataKeyStore {
  return {
    current: (scope) => database.acrossTenants((tx) => current(tx, tenantOf(scope))),
    byId: (scope, id) => database.acrossTenants((tx) => byId(tx, tenantOf(scope), id)),
    insert: (key) => database.acrossTenants((tx) => insert(tx, key)),
    all: () => all(database),
    replace: (before, after) => database.acrossTenants((tx) => replace(tx, before, after)),
  };
}

async function current(tx: Transaction, tenant: string): Promise<WrappedKey | undefined> {
  const row = await tx
    .selectFrom('data_keys')
    .selectAll()
    .where('tenant_id', '=', tenant)
    .orderBy('generation', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && wrappedKey(row);
}

async function byId(tx: Transaction, tenant: string, id: string): Promise<WrappedKey | undefined> {
  const row = await tx
    .selectFrom('data_keys')
    .selectAll()
    .where('tenant_id', '=', tenant)
    .where('key_id', '=', id)
    .executeTakeFirst();
  return row && wrappedKey(row);
}

/** Two statements, because a winner that committed meanwhile is invisible to the snapshot of the first. */
async function insert(tx: Transaction, key: WrappedKey): Promise<WrappedKey> {
  await tx
    .insertInto('data_keys')
    .values({
      tenant_id: tenantOf(key.scope),
      key_id: key.id,
      generation: key.generation,
      master_id: key.masterId,
      wrapped: Buffer.from(key.wrapped),
    })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'generation']).doNothing())
    .execute();
  const standing = await tx
    .selectFrom('data_keys')
    .selectAll()
    .where('tenant_id', '=', key.scope)
    .where('generation', '=', key.generation)
    .executeTakeFirstOrThrow();
  return wrappedKey(standing);
}

async function* all(database: Database): AsyncIterable<WrappedKey> {
  for (let after: string | undefined; ;) {
    const rows = await database.acrossTenants((tx) => page(tx, after));
    yield* rows.map(wrappedKey);
    after = rows.at(-1)?.key_id;
    if (rows.length < PAGE) return;
  }
}

function page(tx: Transaction, after: string | undefined): Promise<Row[]> {
  const rows = tx.selectFrom('data_keys').selectAll().orderBy('key_id').limit(PAGE);
  return (after === undefined ? rows : rows.where('key_id', '>', after)).execute();
}

async function replace(tx: Transaction, before: WrappedKey, after: WrappedKey): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('data_keys')
    .set({ master_id: after.masterId, wrapped: Buffer.from(after.wrapped) })
    .where('key_id', '=', before.id)
    .where('master_id', '=', before.masterId)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/**
 * PostgreSQL reads a UUID in any spelling and gives it back in one. A key is wrapped for the scope as it was
 * spelt, so another spelling would keep a key that never opens.
 */
function tenantOf(scope: string): string {
  if (!UUID.test(scope)) throw new TypeError('a scope is the id of a tenant, a UUID in lower case');
  return scope;
}

function wrappedKey(row: Row): WrappedKey {
  return {
    id: row.key_id,
    scope: row.tenant_id,
    generation: row.generation,
    masterId: row.master_id,
    wrapped: row.wrapped,
  };
}
