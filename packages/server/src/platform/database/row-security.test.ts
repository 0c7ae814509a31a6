import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sql } from 'kysely';
import { cloneDatabase, openTestDatabase } from '../../../test/support/database.ts';
import { newId } from '../ids.ts';
import type { DatabaseTarget } from './connection.ts';
import type { Database } from './database.ts';
import { query } from './query.testing.ts';

/** Tables that belong to the store itself. The role of requests can do nothing with them. */
const WITHOUT_TENANT = ['consumer_members', 'consumer_partitions', 'migrations', 'nodes', 'store', 'topics'];

interface Guard {
  readonly name: string;
  readonly partition: boolean;
  readonly tenant: boolean;
  readonly forced: boolean;
  readonly policies: string[];
  readonly open: boolean;
}

/** Every table of the hub, with what guards it. `open` tells whether either role has any right on it. */
function guards(target: DatabaseTarget): Promise<Guard[]> {
  return query<Guard>(
    target,
    `select c.relname as name, c.relispartition as partition,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id'
               and a.attnotnull and a.atttypid = 'uuid'::regtype and not a.attisdropped) as tenant,
       c.relrowsecurity and c.relforcerowsecurity as forced,
       array(select format('%s %s to %s using %s', p.permissive, p.cmd, array_to_string(p.roles, ','),
                coalesce(p.qual, '') || coalesce(' check ' || p.with_check, ''))
             from pg_policies p where p.schemaname = 'linkspan' and p.tablename = c.relname order by 1) as policies,
       c.relacl is not null and exists (
         select from aclexplode(c.relacl) r where r.grantee <> c.relowner
           and (not c.relispartition and r.grantee <> 'linkspan_hub'::regrole or c.relispartition)) as open
     from pg_class c where c.relnamespace = 'linkspan'::regnamespace and c.relkind in ('r', 'p', 'f', 'm', 'v')
     order by 1`,
  );
}

/** `format` writes a role array's only member, and a policy's condition as the server prints it. */
const POLICIES = [
  'PERMISSIVE ALL to linkspan_api using (tenant_id = current_tenant())',
  'PERMISSIVE ALL to linkspan_hub using true',
];

/** Names of tables that one tenant's request could read another's rows of. */
function unguarded(tables: readonly Guard[]): string[] {
  return tables
    .filter((table) => {
      // Of a partition the policies of the whole hold, as long as nobody may go to it directly.
      if (table.partition || WITHOUT_TENANT.includes(table.name)) return table.open;
      return !table.tenant || !table.forced || table.policies.join('\n') !== POLICIES.join('\n');
    })
    .map(({ name }) => name);
}

describe('row-level security', () => {
  it('guards every table', async (t) => {
    const tables = await guards(await cloneDatabase(t));
    assert.deepEqual(unguarded(tables), []);
    assert.ok(tables.length > 6);
    assert.equal((await query(await cloneDatabase(t), 'select from linkspan.tenants')).length, 0);
  });

  it('is found missing, in whichever way', async (t) => {
    const target = await cloneDatabase(t);
    const guarded = (name: string, column: string, own = 'tenant_id = current_tenant()') =>
      `create table ${name} (${column}); alter table ${name} enable row level security, force row level security;
       create policy own_tenant on ${name} to linkspan_api using (${own});
       create policy all_tenants on ${name} to linkspan_hub using (true);`;
    await query(target, guarded('good', 'tenant_id uuid not null'));
    await query(target, guarded('nullable', 'tenant_id uuid'));
    await query(target, guarded('other_rule', 'tenant_id uuid not null', 'tenant_id is not null'));
    await query(
      target,
      `${guarded('not_forced', 'tenant_id uuid not null')} alter table not_forced no force row level security`,
    );
    await query(
      target,
      `${guarded('off', 'tenant_id uuid not null')} alter table off disable row level security`,
    );
    await query(
      target,
      `${guarded('one_more', 'tenant_id uuid not null')} create policy more on one_more using (true)`,
    );
    await query(target, 'create table bare (id int)');
    await query(target, 'create view seen_through as select * from tenants');
    await query(target, 'grant select on store to linkspan_api');
    assert.deepEqual(unguarded(await guards(target)), [
      'bare',
      'not_forced',
      'nullable',
      'off',
      'one_more',
      'other_rule',
      'seen_through',
      'store',
    ]);
  });

  it('shows a request the rows of its tenant alone', async (t) => {
    const { database, one, other } = await withTenants(await openTestDatabase(t));
    assert.deepEqual(await namesSeenBy(database, one), ['one']);
    assert.deepEqual(await namesSeenBy(database, other), ['other']);
    assert.deepEqual(await namesSeenBy(database, newId()), []);
    const all = await database.acrossTenants((tx) =>
      tx.selectFrom('tenants').select('name').orderBy('name').execute(),
    );
    assert.deepEqual(all, [{ name: 'one' }, { name: 'other' }]);
  });

  it('shows a request without a tenant nothing', async (t) => {
    const target = await cloneDatabase(t);
    await query(target, `insert into tenants (tenant_id, name) values ('${newId()}', 'one')`, 'linkspan_hub');
    assert.equal((await query(target, 'select * from tenants', 'linkspan_hub')).length, 1);
    assert.deepEqual(await query(target, 'select * from tenants', 'linkspan_api'), []);
  });

  it('does not carry the tenant of one transaction into the next', async (t) => {
    const { database, one } = await withTenants(await openTestDatabase(t));
    await namesSeenBy(database, one);
    const settings = await Promise.all(
      Array.from({ length: 3 }, () =>
        database.acrossTenants((tx) =>
          sql<{
            tenant: string;
          }>`select coalesce(current_setting('linkspan.tenant', true), '') as tenant`.execute(tx),
        ),
      ),
    );
    assert.deepEqual(
      settings.flatMap(({ rows }) => rows),
      [{ tenant: '' }, { tenant: '' }, { tenant: '' }],
    );
  });

  it('lets a request write rows of its own tenant alone', async (t) => {
    const { database, one, other } = await withTenants(await openTestDatabase(t));
    const principal = (tenant: string) => ({
      tenant_id: tenant,
      principal_id: newId(),
      kind: 'user',
      name: 'someone',
    });
    const insert = (as: string, into: string) =>
      database.asTenant(as, (tx) => tx.insertInto('principals').values(principal(into)).execute());
    await insert(one, one);
    await assert.rejects(insert(one, other), { code: '42501' });
    assert.deepEqual(
      await database.asTenant(other, (tx) => tx.selectFrom('principals').selectAll().execute()),
      [],
    );
  });

  it('lets nobody change or remove an audit entry', async (t) => {
    const target = await cloneDatabase(t);
    for (const role of ['linkspan_api', 'linkspan_hub'] as const) {
      await assert.rejects(query(target, `update audit_entries set outcome = 'failed'`, role), {
        code: '42501',
      });
      await assert.rejects(query(target, 'delete from audit_entries', role), { code: '42501' });
      await assert.rejects(query(target, 'truncate audit_entries', role), { code: '42501' });
    }
  });
});

async function withTenants(database: Database): Promise<{ database: Database; one: string; other: string }> {
  const [one, other] = [newId(), newId()];
  await database.acrossTenants((tx) =>
    tx
      .insertInto('tenants')
      .values([
        { tenant_id: one, name: 'one' },
        { tenant_id: other, name: 'other' },
      ])
      .execute(),
  );
  return { database, one, other };
}

async function namesSeenBy(database: Database, tenant: string): Promise<string[]> {
  const rows = await database.asTenant(tenant, (tx) => tx.selectFrom('tenants').select('name').execute());
  return rows.map(({ name }) => name);
}
