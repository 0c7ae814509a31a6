import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../src/platform/database/embedded/testing.ts';
import { ownPrograms, startPlainServer } from '../src/platform/database/plain-server.testing.ts';
import { query } from '../src/platform/database/query.testing.ts';
import type { Answer } from '../src/platform/http/testing.ts';
import { cloneDatabase } from './support/database.ts';
import { ADMIN, linesOf, openPlace, type HubProcess } from './support/hub-process.ts';
import { urlOf } from './support/test-server.ts';

/** Milliseconds within which every request is answered, whatever the database does. */
const PROMPT = 8_000;

/** Asks for what only the database knows, and demands an answer in time. */
async function askDatabase(hub: HubProcess): Promise<Answer> {
  const late = pause(PROMPT, undefined, { ref: false }).then(() => {
    throw new Error('The request hangs.');
  });
  return Promise.race([hub.ask({ path: '/api/v1/tokens', token: ADMIN }), late]);
}

function assertUnavailable({ status, headers, json }: Answer): void {
  assert.equal(status, 503);
  assert.equal(headers['content-type'], 'application/problem+json');
  assert.equal(json['code'], 'database_unavailable');
  assert.equal(json['retryable'], true);
  assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/);
}

const readiness = async (hub: HubProcess): Promise<number> => (await hub.ask({ path: '/readyz' })).status;

describe('a hub whose database goes away', () => {
  it('serves on when its connections are cut, without a restart', async (t) => {
    const place = await openPlace(t);
    const target = await cloneDatabase(t);
    const hub = await place.start({
      LINKSPAN_DATABASE_URL: target.connectionString ?? '',
      LINKSPAN_ADMIN_TOKEN: ADMIN,
    });
    assert.equal((await askDatabase(hub)).status, 200);
    for (let round = 0; round < 3; round++) {
      const cut = await query(
        target,
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
      );
      assert.ok(cut.length > 0, 'the hub had connections');
      // One that was cut while it was taken from the pool is answered as unavailable; never more than told so.
      const answer = await askDatabase(hub);
      if (answer.status !== 200) assertUnavailable(answer);
      await until('it serves again', async () => (await askDatabase(hub)).status === 200);
    }
    await until('it is ready', async () => (await readiness(hub)) === 200);
  });

  it('says so while PostgreSQL is stopped, and serves again by itself', async (t) => {
    const place = await openPlace(t);
    const postgres = await startPlainServer(t, await ownPrograms());
    const hub = await place.start({
      LINKSPAN_DATABASE_URL: urlOf(postgres.target),
      LINKSPAN_ADMIN_TOKEN: ADMIN,
    });
    const body = JSON.stringify({ name: 'kept', permissions: ['tokens:read'] });
    const made = await hub.ask({ method: 'POST', path: '/api/v1/tokens', token: ADMIN, body });
    assert.equal(made.status, 201);
    assert.equal(await readiness(hub), 200);

    await postgres.stop();
    const requestId = 'while-the-database-is-away';
    const told = await hub.ask({
      path: '/api/v1/tokens',
      token: ADMIN,
      headers: { 'x-request-id': requestId },
    });
    assertUnavailable(told);
    assert.equal(told.headers['x-request-id'], requestId);
    assert.equal(told.json['requestId'], requestId);
    const failures = () => linesOf(hub.log).filter((line) => line['requestId'] === requestId);
    // The log travels through a pipe of its own.
    await until('the log tells of it', async () => failures().length > 0);
    const failed = failures();
    assert.deepEqual(
      failed.map(({ code, route, msg }) => ({ code, route, msg })),
      [{ code: 'database_unavailable', route: '/api/v1/tokens', msg: 'a request failed' }],
    );

    await until('it is not ready', async () => (await readiness(hub)) === 503);
    const { json } = await hub.ask({ path: '/readyz' });
    assert.equal(json['ready'], false);
    assert.equal((json['checks'] as Record<string, string>)['database'], 'database_unavailable');
    assert.equal((await hub.ask({ path: '/healthz' })).status, 200);
    assert.match(
      (await hub.ask({ path: '/metrics' })).text,
      /linkspan_database_oldest_transaction_seconds -1\n/,
    );
    const unknown = await hub.ask({ path: '/api/v1/tokens', token: 'nobody-knows-now' });
    assertUnavailable(unknown); // neither let in nor told that the token is bad

    await postgres.start();
    await until('it is ready', async () => (await readiness(hub)) === 200);
    const again = await askDatabase(hub);
    assert.equal(again.status, 200);
    assert.equal((again.json['items'] as unknown[]).length, 1, 'what was accepted is there');

    await postgres.stop();
    const ending = await hub.end('SIGTERM');
    assert.equal(ending.code, 0, 'it drains without its database, too');
    assert.equal(ending.told, '');
  });
});
