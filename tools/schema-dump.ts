import type pg from 'pg';
import { readDefinitions, readEnums, readTables, type Column, type Table } from './schema-catalog.ts';

/**
 * The whole schema as readable SQL, written from the catalogs, so that a migration's effect shows in review.
 *
 * @param client its search path is the hub's schema alone: PostgreSQL then writes names without their schema.
 */
export async function dumpSchema(client: pg.ClientBase): Promise<string> {
  const enums = await readEnums(client);
  const tables = await readTables(client);
  const definitions = await readDefinitions(client);
  const sections = Object.entries(definitions).map(
    ([title, lines]) => `-- ${title}\n\n${lines.map((line) => line.trimEnd()).join('\n')}\n`,
  );
  return [
    '-- Written from the system catalogs by `npm run generate`. The migrations beside it are the source.\n',
    ...[...enums].map(
      ([name, labels]) =>
        `create type ${name} as enum (${labels.map((label) => `'${label}'`).join(', ')});\n`,
    ),
    ...tables.map(tableSql),
    ...sections,
  ].join('\n');
}

function tableSql(table: Table): string {
  const width = Math.max(...table.columns.map((column) => column.name.length));
  const columns = table.columns.map((column) => `  ${column.name.padEnd(width)} ${columnSql(column)}`);
  const tail = [
    table.partitionKey ? ` partition by ${table.partitionKey.toLowerCase()}` : '',
    table.options ? ` with (${table.options})` : '',
  ].join('');
  return [
    `create table ${table.name} (\n${columns.join(',\n')}\n)${tail};`,
    ...(table.rowSecurity ? [`alter table ${table.name} enable row level security;`] : []),
    ...(table.forcedRowSecurity ? [`alter table ${table.name} force row level security;`] : []),
    '',
  ].join('\n');
}

function columnSql(column: Column): string {
  return [
    column.type,
    ...(column.notNull ? ['not null'] : []),
    ...(column.identity ? ['generated always as identity'] : []),
    ...(column.default === null ? [] : [`default ${column.default}`]),
  ].join(' ');
}
