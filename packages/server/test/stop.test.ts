import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { until } from '../src/platform/database/embedded/testing.ts';
import { clientConfig } from '../src/platform/database/index.ts';
import { cloneDatabase } from './support/database.ts';
import { ADMIN, linesOf, openPlace, type Env } from './support/hub-process.ts';

/**
 * A hub with a request under way that ends when the test lets it. The configured token is known without the
 * database, so the request waits for the locked table alone.
 */
async function startWithSlowRequest(t: TestContext, env: Env = {}) {
  const place = await openPlace(t);
  const { connectionString = '' } = await cloneDatabase(t);
  const hub = await place.start({
    LINKSPAN_DATABASE_URL: connectionString,
    LINKSPAN_ADMIN_TOKEN: ADMIN,
    ...env,
  });
  const locker = new pg.Client(clientConfig({ connectionString }));
  locker.on('error', () => {}); // its database goes away with the test
  await locker.connect();
  t.after(() => locker.end());
  await locker.query('begin');
  await locker.query('lock table tenants in access exclusive mode');
  const slow = hub.ask({ path: '/api/v1/tenants', token: ADMIN });
  slow.catch(() => {}); // some tests cut it off
  await until('the request waits', async () => {
    const { rows } = await locker.query(
      'select from pg_locks where not granted and relation = $1::regclass',
      ['tenants'],
    );
    return rows.length > 0;
  });
  return { hub, slow, finish: () => locker.query('commit') };
}

describe('SIGTERM', () => {
  it('lets what runs finish, takes nothing new, and ends with 0', async (t) => {
    const { hub, slow, finish } = await startWithSlowRequest(t);
    hub.kill('SIGTERM');
    await until('nobody listens any more', async () => {
      const answer = await hub.ask({ path: '/api/v1/tokens', token: ADMIN }).catch(String);
      return typeof answer === 'string' && answer.includes('ECONNREFUSED');
    });
    await finish();
    assert.equal((await slow).status, 200);
    const ending = await hub.ended;
    assert.equal(ending.code, 0);
    const messages = linesOf(ending.log).map(({ msg }) => msg);
    assert.deepEqual(messages.slice(-2), ['draining', 'the hub has stopped']);
  });

  it('waits no longer than the grace, and still ends with 0', async (t) => {
    const { hub, slow } = await startWithSlowRequest(t, { LINKSPAN_SHUTDOWN_GRACE: '1' });
    const askedAt = Date.now();
    const ending = await hub.end('SIGTERM');
    assert.equal(ending.code, 0);
    const took = Date.now() - askedAt;
    assert.ok(took > 900 && took < 7_000, `${took} ms`);
    await assert.rejects(slow);
  });
});

describe('SIGINT', () => {
  it('once drains like SIGTERM', async (t) => {
    const { hub, slow, finish } = await startWithSlowRequest(t);
    hub.kill('SIGINT');
    await until('it drains', () => hub.log.includes('"draining"'));
    await finish();
    assert.equal((await slow).status, 200);
    assert.equal((await hub.ended).code, 0);
  });

  it('twice ends at once, with 130', async (t) => {
    const { hub } = await startWithSlowRequest(t);
    hub.kill('SIGINT');
    await until('it drains', () => hub.log.includes('"draining"'));
    const askedAt = Date.now();
    assert.equal((await hub.end('SIGINT')).code, 130);
    assert.ok(Date.now() - askedAt < 5_000, 'long before the request would have ended');
  });
});
