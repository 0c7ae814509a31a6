import { randomUUID } from 'node:crypto';
import { after, type TestContext } from 'node:test';
import pg from 'pg';
import { openDatabase, type Database, type DatabaseTarget } from '../../src/platform/database/index.ts';
import { createLog } from '../../src/platform/log.ts';
import { startTestServer, TEMPLATE, type TestServer } from './test-server.ts';

/** A test, or whatever else calls what it was given when it ends. */
export type Scope = Pick<TestContext, 'after'>;

/** `migrated` has the hub's schema and no tenant yet; `bare` is empty. */
export type DatabaseKind = 'migrated' | 'bare';

/**
 * Makes a database for one test and drops it after; connections that are still open then are cut off. Its user owns
 * it and is no superuser. The server is the one of `LINKSPAN_TEST_DATABASE_URL`, or one of this process alone.
 */
export async function cloneDatabase(t: Scope, kind: DatabaseKind = 'migrated'): Promise<DatabaseTarget> {
  const { target, drop } = await makeDatabase(kind);
  t.after(drop);
  return target;
}

/** A migrated database for one test, opened as the hub opens it. */
export async function openTestDatabase(t: Scope): Promise<Database> {
  const { target, drop } = await makeDatabase('migrated');
  const database = openDatabase(target, createLog({ level: 'silent' }));
  t.after(async () => {
    await database.close();
    await drop();
  });
  return database;
}

async function makeDatabase(
  kind: DatabaseKind,
): Promise<{ target: DatabaseTarget; drop: () => Promise<void> }> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const template = kind === 'migrated' ? TEMPLATE : 'template0';
  await administer(`create database ${name} template ${template} strategy file_copy`);
  const url = new URL(await serverUrl());
  url.pathname = `/${name}`;
  return {
    target: { connectionString: url.href },
    drop: () => administer(`drop database if exists ${name} with (force)`),
  };
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client(await serverUrl());
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

let own: Promise<TestServer> | undefined;

async function serverUrl(): Promise<string> {
  return process.env['LINKSPAN_TEST_DATABASE_URL'] ?? (await (own ??= startTestServer())).url;
}

after(async () => {
  const server = await own?.catch(() => undefined); // the test that asked for it has failed
  await server?.stop();
});
