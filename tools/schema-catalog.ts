import type pg from 'pg';

/** What PostgreSQL's catalogs say of the hub's schema: the one source of `schema.sql` and of the table types. */

export interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly notNull: boolean;
  readonly default: string | null;
  readonly identity: boolean;
}

export interface Table {
  readonly name: string;
  /** `RANGE (call_id)` for a partitioned table. */
  readonly partitionKey: string | null;
  readonly options: string | null;
  readonly rowSecurity: boolean;
  readonly forcedRowSecurity: boolean;
  readonly columns: readonly Column[];
}

/** Tables in order of their names, without partitions. */
export async function readTables(client: pg.ClientBase): Promise<Table[]> {
  const tables = await client.query<Omit<Table, 'columns'>>(`
    select c.relname as name, pg_get_partkeydef(c.oid) as "partitionKey",
           array_to_string(c.reloptions, ', ') as options,
           c.relrowsecurity as "rowSecurity", c.relforcerowsecurity as "forcedRowSecurity"
    from pg_class c
    where c.relnamespace = 'linkspan'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname`);
  const columns = await client.query<Column>(`
    select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
           a.attnotnull as "notNull", pg_get_expr(d.adbin, d.adrelid) as default, a.attidentity <> '' as identity
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.relnamespace = 'linkspan'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and a.attnum > 0 and not a.attisdropped
    order by c.relname, a.attnum`);
  return tables.rows.map((table) => ({
    ...table,
    columns: columns.rows.filter((column) => column.table === table.name),
  }));
}

/** Enumerated types, by name, each with its labels in order. */
export async function readEnums(client: pg.ClientBase): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await client.query<{ name: string; labels: string[] }>(`
    select t.typname as name, array_agg(e.enumlabel::text order by e.enumsortorder) as labels
    from pg_type t join pg_enum e on e.enumtypid = t.oid
    where t.typnamespace = 'linkspan'::regnamespace group by t.typname order by t.typname`);
  return new Map(rows.map(({ name, labels }) => [name, labels]));
}

/** Statements that hang on tables: constraints, indexes, policies, grants, functions; each list in a fixed order. */
export async function readDefinitions(client: pg.ClientBase): Promise<Record<string, string[]>> {
  const lines = async (sql: string): Promise<string[]> =>
    (await client.query<{ line: string }>(sql)).rows.map((row) => row.line);
  return {
    Constraints: await lines(`
      select format('alter table %s add constraint %s %s;', c.relname, k.conname, pg_get_constraintdef(k.oid)) as line
      from pg_constraint k join pg_class c on c.oid = k.conrelid
      where c.relnamespace = 'linkspan'::regnamespace and not c.relispartition and k.contype <> 'n'
      order by c.relname, k.contype desc, k.conname`),
    Indexes: await lines(`
      select pg_get_indexdef(i.indexrelid, 0, true) || ';' as line
      from pg_index i join pg_class c on c.oid = i.indrelid join pg_class x on x.oid = i.indexrelid
      where c.relnamespace = 'linkspan'::regnamespace and not c.relispartition
        and not exists (select from pg_constraint k where k.conindid = i.indexrelid)
      order by c.relname, x.relname`),
    Policies: await lines(`
      select format('create policy %s on %s for %s to %s using (%s)%s;', policyname, tablename, lower(cmd),
                    array_to_string(roles, ', '), qual, ' with check (' || with_check || ')') as line
      from pg_policies where schemaname = 'linkspan' order by tablename, policyname`),
    Grants: await lines(`
      select format('grant %s on %s to %s;', string_agg(distinct lower(g.privilege_type), ', '), c.relname, r.rolname) as line
      from pg_class c, aclexplode(c.relacl) g join pg_roles r on r.oid = g.grantee
      where c.relnamespace = 'linkspan'::regnamespace and not c.relispartition and r.rolname like 'linkspan\\_%'
        and r.oid <> c.relowner
      group by c.relname, r.rolname
      union all
      select format('grant %s (%s) on %s to %s;', lower(g.privilege_type), string_agg(a.attname, ', ' order by a.attnum),
                    c.relname, r.rolname)
      from pg_attribute a join pg_class c on c.oid = a.attrelid, aclexplode(a.attacl) g
      join pg_roles r on r.oid = g.grantee
      where c.relnamespace = 'linkspan'::regnamespace and not c.relispartition
      group by c.relname, r.rolname, g.privilege_type
      order by 1`),
    Functions: await lines(`
      select replace(trim(trailing e'\n' from pg_get_functiondef(p.oid)),
                     'FUNCTION linkspan.', 'FUNCTION ') || ';' as line
      from pg_proc p where p.pronamespace = 'linkspan'::regnamespace order by p.proname, p.oid::regprocedure::text`),
  };
}
