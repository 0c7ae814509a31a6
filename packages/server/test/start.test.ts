import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { cloneDatabase } from './support/database.ts';
import { ADMIN, openPlace, startHub } from './support/hub-process.ts';

test('the first start of a hub prints its address and its token, a later one its address alone', async (t) => {
  const place = await openPlace(t);
  const first = await place.start();
  const token = first.newToken ?? '';
  assert.match(token, /^lsp_[\w-]{43}$/);
  assert.equal(first.out.split(token).length, 2, 'printed once');
  assert.ok(!first.log.includes(token), 'not in the log');
  assert.notEqual(first.port, 0);
  assert.match(first.out, new RegExp(`documentation: ${first.address}/docs`));
  assert.ok(first.out.includes(join(place.dataDir, 'master.key')), 'tells which file to keep a copy of');
  assert.equal((await stat(join(place.dataDir, 'master.key'))).mode & 0o777, 0o600);
  assert.equal((await first.ask({ path: '/api/v1/tokens', token })).status, 200);
  assert.equal((await first.end('SIGTERM')).code, 0);

  const second = await place.start();
  assert.match(second.out, /^Linkspan \S+ is ready at \S+ \(documentation: \S+\)\n$/);
  assert.equal((await second.ask({ path: '/api/v1/tokens', token })).status, 200);
});

test('a later start takes less than three seconds', async (t) => {
  const place = await openPlace(t);
  await (await place.start()).end('SIGTERM');
  const took: number[] = [];
  // A machine that is busy with something else gets three chances.
  while (took.length < 3 && !took.some((ms) => ms < 3_000)) {
    const hub = await place.start();
    took.push(hub.startedIn);
    await hub.end('SIGTERM');
  }
  assert.ok(
    took.some((ms) => ms < 3_000),
    `${took.join(', ')} ms`,
  );
});

test('a hub that was killed starts again with all it knew', async (t) => {
  const place = await openPlace(t, { LINKSPAN_ADMIN_TOKEN: ADMIN });
  const killed = await place.start();
  const made = await killed.ask({
    method: 'POST',
    path: '/api/v1/tokens',
    token: ADMIN,
    body: JSON.stringify({ name: 'kept', permissions: ['tokens:read'] }),
  });
  assert.equal(made.status, 201);
  assert.equal((await killed.end('SIGKILL')).signal, 'SIGKILL');

  const next = await place.start();
  const listed = await next.ask({ path: '/api/v1/tokens', token: String(made.json['token']) });
  assert.equal(listed.status, 200);
  assert.deepEqual(
    (listed.json['items'] as { name: string }[]).map(({ name }) => name),
    ['kept'],
  );
  assert.equal((await next.ask({ path: '/readyz' })).status, 200);
});

test('a configured token holds from the first request on, and none is printed', async (t) => {
  const place = await openPlace(t);
  const { connectionString = '' } = await cloneDatabase(t);
  const hub = await place.start({ LINKSPAN_DATABASE_URL: connectionString, LINKSPAN_ADMIN_TOKEN: ADMIN });
  const listed = await hub.ask({ path: '/api/v1/tokens', token: ADMIN });
  assert.equal(listed.status, 200);
  assert.deepEqual(listed.json['items'], []);
  assert.equal(hub.newToken, undefined);
  assert.doesNotMatch(hub.out, /token/i);
});

test('hubs that start together on one empty database both serve, and a token revoked at one is refused by the other within a second', async (t) => {
  const place = await openPlace(t);
  const { connectionString = '' } = await cloneDatabase(t, 'bare');
  const env = {
    LINKSPAN_DATABASE_URL: connectionString,
    LINKSPAN_ADMIN_TOKEN: ADMIN,
    LINKSPAN_MASTER_KEY: randomBytes(32).toString('hex'),
  };
  const [one, other] = await Promise.all([place.start(env), startHub(t, env)]);
  for (const hub of [one, other]) assert.equal((await hub.ask({ path: '/readyz' })).status, 200);

  const body = JSON.stringify({ name: 'short-lived', permissions: ['tokens:read'] });
  const { json } = await one.ask({ method: 'POST', path: '/api/v1/tokens', token: ADMIN, body });
  const [id, token] = [String(json['id']), String(json['token'])];
  const statusAtOther = async () => (await other.ask({ path: '/api/v1/tokens', token })).status;
  assert.equal(await statusAtOther(), 200);
  await one.ask({ method: 'DELETE', path: `/api/v1/tokens/${id}`, token: ADMIN });
  const revokedAt = Date.now();
  while ((await statusAtOther()) === 200) {
    assert.ok(Date.now() - revokedAt < 1_000, 'still let in after a second');
    await pause(10);
  }
  assert.equal(await statusAtOther(), 401);
});
