// For tests: single statements on a connection of their own.
import pg from 'pg';
import { clientConfig, type DatabaseRole, type DatabaseTarget } from './connection.ts';

/** Runs statements one by one on one connection, as the owner or as a role of the hub; the rows of the last. */
export async function query<R extends pg.QueryResultRow>(
  target: DatabaseTarget,
  statements: string | readonly string[],
  role?: DatabaseRole,
): Promise<R[]> {
  const client = new pg.Client(clientConfig(target, role));
  client.on('error', () => {}); // the statement under way rejects as well
  await client.connect();
  try {
    let rows: R[] = [];
    for (const statement of [statements].flat()) ({ rows } = await client.query<R>(statement));
    return rows;
  } finally {
    await client.end().catch(() => {});
  }
}
