import type pg from 'pg';
import { readEnums, readTables, type Column } from './schema-catalog.ts';

/** How `pg` hands each type out, and what it takes where that differs. */
const TYPES: Readonly<Record<string, string>> = {
  boolean: 'boolean',
  smallint: 'number',
  integer: 'number',
  bigint: 'number',
  'double precision': 'number',
  text: 'string',
  uuid: 'string',
  'text[]': 'string[]',
  'uuid[]': 'string[]',
  bytea: 'Buffer',
  inet: 'string',
  interval: 'string',
  xid8: 'string',
  'timestamp with time zone': 'Timestamp',
  date: 'Timestamp',
  jsonb: 'Json', // NOT NULL everywhere
};

/** The tables as Kysely knows them. */
export async function tableTypes(client: pg.ClientBase): Promise<string> {
  const tables = await readTables(client);
  const enums = [...(await readEnums(client))];
  const types = { ...TYPES, ...Object.fromEntries(enums.map(([name]) => [name, pascal(name)])) };
  const interfaces = tables.map(
    (table) =>
      `export interface ${pascal(table.name)} {\n${table.columns.map((column) => `  ${column.name}: ${typeOf(column, types)};`).join('\n')}\n}\n`,
  );
  return [
    '// Written from the system catalogs by `npm run generate`. Do not edit.',
    "import type { ColumnType, Generated } from 'kysely';\n",
    'export type Timestamp = ColumnType<Date, Date | string, Date | string>;',
    'export type NullableTimestamp = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;',
    'export type GeneratedTimestamp = ColumnType<Date, Date | string | undefined, Date | string>;',
    'export type Json = ColumnType<unknown, string, string>;',
    'export type GeneratedJson = ColumnType<unknown, string | undefined, string>;\n',
    ...enums.map(
      ([name, labels]) =>
        `export type ${pascal(name)} = ${labels.map((label) => `'${label}'`).join(' | ')};\n`,
    ),
    ...interfaces,
    `export interface DB {\n${tables.map((table) => `  ${table.name}: ${pascal(table.name)};`).join('\n')}\n}\n`,
  ].join('\n');
}

function typeOf(column: Column, types: Readonly<Record<string, string>>): string {
  const type = types[column.type];
  if (type === undefined)
    throw new Error(`No TypeScript type for ${column.table}.${column.name} ${column.type}.`);
  const generated = column.default !== null || column.identity;
  if (type === 'Timestamp' && !column.notNull) return 'NullableTimestamp';
  if (type === 'Timestamp' || type === 'Json') return generated ? `Generated${type}` : type;
  const nullable = column.notNull ? type : `${type} | null`;
  return generated ? `Generated<${nullable}>` : nullable;
}

function pascal(name: string): string {
  return name.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
