import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbedded, type EmbeddedPostgres } from '../../src/platform/database/embedded/index.ts';
import { migrate, readMigrations, type DatabaseTarget } from '../../src/platform/database/index.ts';
import { createLog } from '../../src/platform/log.ts';

/** The database every migrated test database is a copy of. Nobody connects to it. */
export const TEMPLATE = 'linkspan_template';

/** The migrations of this hub. */
export const migrations = await readMigrations(new URL('../../migrations/', import.meta.url));

/** A PostgreSQL for tests. */
export interface TestServer {
  /** A `postgresql://` address of a database that tests may connect to in order to make others. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Tests lose nothing in a power failure, and many of them connect at once. */
const SETTINGS = {
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '300',
  autovacuum_naptime: '1min',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
};

/** Starts an embedded PostgreSQL in a temporary directory, with the template in it. One serves a whole run. */
export async function startTestServer(): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'linkspan-test-'));
  const log = createLog({ level: 'silent' });
  let postgres: EmbeddedPostgres | undefined;
  const stop = async (): Promise<void> => {
    await postgres?.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  // An interrupted run takes its server along: `exit`, unlike the end by a signal, is noticed by the embedding.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    postgres = await startEmbedded({ dataDir, log, settings: SETTINGS });
    await makeTemplate(postgres.target);
    return { url: urlOf(postgres.target), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeTemplate(target: DatabaseTarget): Promise<void> {
  const client = new pg.Client(target);
  await client.connect();
  try {
    await client.query(`create database ${TEMPLATE}`);
  } finally {
    await client.end();
  }
  await migrate({ ...target, database: TEMPLATE }, migrations, createLog({ level: 'silent' }));
}

/** The address of a database behind a Unix socket. Its host is there for the grammar of addresses alone. */
export function urlOf(target: DatabaseTarget): string {
  const url = new URL('postgresql://localhost');
  url.username = target.user ?? '';
  url.password = target.password ?? '';
  url.pathname = `/${target.database ?? ''}`;
  url.searchParams.set('host', target.host ?? '');
  return url.href;
}
