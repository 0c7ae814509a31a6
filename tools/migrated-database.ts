import pg from 'pg';
import { startTestServer, TEMPLATE } from '../packages/server/test/support/test-server.ts';
import { clientConfig } from '../packages/server/src/platform/database/index.ts';

/** Hands a connection to a database that has just seen every migration. */
export async function withMigratedDatabase<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const given = process.env['LINKSPAN_TEST_DATABASE_URL'];
  const server = given ? undefined : await startTestServer();
  try {
    return await connected(given ?? server!.url, work);
  } finally {
    await server?.stop();
  }
}

async function connected<T>(serverUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const url = new URL(serverUrl);
  url.pathname = `/${TEMPLATE}`;
  const client = new pg.Client(clientConfig({ connectionString: url.href }));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
