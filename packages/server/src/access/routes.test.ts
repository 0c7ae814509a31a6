import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { openTestDatabase } from '../../test/support/database.ts';
import { auditVocabulary } from '../audit/index.ts';
import { systemClock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { createHttp } from '../platform/http/index.ts';
import { createLog } from '../platform/log.ts';
import {
  accessErrors,
  accessRoutes,
  actorOf,
  createAuthenticator,
  ensureAdministrator,
  permissionCatalogue,
  permits,
  type HubTerms,
} from './index.ts';

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown> & {
    items?: Record<string, unknown>[];
    next?: string | null;
  };
}

/** The routes of access on a real server and a real database, and the token of the administrator. */
async function start(t: TestContext) {
  const database = await openTestDatabase(t);
  const { newToken = '' } = await ensureAdministrator(database, { tokenConfigured: false });
  const authenticator = createAuthenticator({ database, now: Date.now });
  const http = await createHttp<HubTerms>({
    routes: accessRoutes({
      database,
      revoked: (id) => authenticator.forget(id),
      emit: async () => {},
      now: Date.now,
    }),
    permissions: permissionCatalogue,
    audits: auditVocabulary,
    errors: Object.values(accessErrors),
    authenticate: (text) => authenticator.authenticate(text),
    permits: (caller, permission) => permits(caller.grants, permission),
    actorOf,
    metricsPermission: 'metrics:read',
    checks: {},
    registry: new Registry(),
    log: createLog({ level: 'silent' }),
    clock: systemClock,
    version: '0.0.0',
    checked: true,
  });
  t.after(() => http.close(0));
  const address = await http.listen({ host: '127.0.0.1', port: 0 });

  async function ask(
    method: string,
    path: string,
    body?: unknown,
    token: unknown = newToken,
  ): Promise<Answer> {
    const response = await fetch(address + path, {
      method,
      headers: {
        authorization: `Bearer ${String(token)}`,
        'content-type': 'application/json',
        'x-request-id': 'test-request',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Answer['body']) };
  }
  return { database, ask, administrator: newToken };
}

function entriesOf(database: Database) {
  return database.acrossTenants((tx) =>
    tx.selectFrom('audit_entries').selectAll().orderBy('entry_id').execute(),
  );
}

test('a token is made, shown once, used, listed without its text, and revoked', async (t) => {
  const { ask } = await start(t);
  const made = await ask('POST', '/api/v1/tokens', { name: 'ci', permissions: ['tokens:read'] });
  assert.equal(made.status, 201);
  const { token, ...rest } = made.body;
  assert.match(String(token), /^lsp_/);
  assert.equal(rest['expiresAt'], null);

  const listed = await ask('GET', '/api/v1/tokens', undefined, token);
  assert.equal(listed.status, 200);
  assert.deepEqual(listed.body.items?.at(-1), rest);
  assert.doesNotMatch(JSON.stringify(listed.body), new RegExp(String(token)));

  assert.equal((await ask('DELETE', `/api/v1/tokens/${String(rest['id'])}`, undefined, token)).status, 403);
  assert.equal((await ask('DELETE', `/api/v1/tokens/${String(rest['id'])}`)).status, 204);
  assert.equal((await ask('GET', '/api/v1/tokens', undefined, token)).status, 401);
  const again = await ask('DELETE', `/api/v1/tokens/${String(rest['id'])}`);
  assert.equal(again.body['code'], 'token_not_found');
});

test('nobody hands out what they do not hold', async (t) => {
  const { ask } = await start(t);
  const { body } = await ask('POST', '/api/v1/tokens', { name: 'half', permissions: ['tokens:write'] });
  for (const permissions of [['*'], ['tokens:write', 'tenants:write']]) {
    const answer = await ask('POST', '/api/v1/tokens', { name: 'more', permissions }, body['token']);
    assert.equal(answer.status, 403);
    assert.equal(answer.body['code'], 'grant_not_held');
  }
  const same = await ask(
    'POST',
    '/api/v1/tokens',
    { name: 'same', permissions: ['tokens:write'] },
    body['token'],
  );
  assert.equal(same.status, 201);
});

test('tenants are apart: what one makes the other neither sees nor revokes', async (t) => {
  const { ask } = await start(t);
  const tenant = await ask('POST', '/api/v1/tenants', { name: 'blue' });
  assert.equal(tenant.status, 201);
  const blue = await ask('POST', '/api/v1/tokens', {
    name: 'blue admin',
    tenant: 'blue',
    permissions: ['tokens:read', 'tokens:write'],
  });
  assert.equal(blue.body['tenant'], tenant.body['id']);
  const mine = await ask('POST', '/api/v1/tokens', { name: 'main', permissions: ['tokens:read'] });

  const seen = await ask('GET', '/api/v1/tokens', undefined, blue.body['token']);
  assert.deepEqual(
    seen.body.items?.map((item) => item['name']),
    ['blue admin'],
  );
  const path = `/api/v1/tokens/${String(mine.body['id'])}`;
  assert.equal((await ask('DELETE', path, undefined, blue.body['token'])).status, 404);
  assert.equal((await ask('GET', '/api/v1/tokens', undefined, mine.body['token'])).status, 200);

  const foreign = await ask(
    'POST',
    '/api/v1/tokens',
    { name: 'x', tenant: 'main', permissions: ['tokens:read'] },
    blue.body['token'],
  );
  assert.equal(foreign.body['code'], 'tenant_foreign');
  const unknown = await ask('POST', '/api/v1/tokens', {
    name: 'x',
    tenant: 'green',
    permissions: ['tokens:read'],
  });
  assert.equal(unknown.body['code'], 'tenant_not_found');
  const twice = await ask('POST', '/api/v1/tenants', { name: 'blue' });
  assert.equal(twice.status, 409);
});

test('an expiry lies in the future, and then ends the token', async (t) => {
  const { ask } = await start(t);
  for (const expiresAt of ['2020-01-01T00:00:00Z', '2016-12-31T23:59:60Z']) {
    const answer = await ask('POST', '/api/v1/tokens', { name: 'late', permissions: ['*'], expiresAt });
    assert.equal(answer.body['code'], 'token_expiry_past', expiresAt);
  }
  const expiresAt = '2999-01-01T00:00:00.000Z';
  const answer = await ask('POST', '/api/v1/tokens', { name: 'long', permissions: ['*'], expiresAt });
  assert.equal(answer.body['expiresAt'], expiresAt);
});

test('what a token or tenant may not be is refused with all its faults', async (t) => {
  const { ask } = await start(t);
  const rules = async (path: string, body: unknown) => {
    const answer = await ask('POST', path, body);
    assert.equal(answer.status, 400, JSON.stringify(answer.body));
    return (answer.body['faults'] as { path: string }[]).map((fault) => fault.path).toSorted();
  };
  assert.deepEqual(await rules('/api/v1/tokens', {}), ['/name', '/permissions']);
  assert.deepEqual(
    await rules('/api/v1/tokens', {
      name: 'a\u0000',
      permissions: ['root'],
      tenant: 'UP',
      expiresAt: 'soon',
      id: 1,
    }),
    ['/expiresAt', '/id', '/name', '/permissions/0', '/tenant'],
  );
  assert.deepEqual(await rules('/api/v1/tokens', { name: '\ud800', permissions: [] }), [
    '/name',
    '/permissions',
  ]);
  assert.deepEqual(await rules('/api/v1/tokens', { name: 'a', permissions: ['*', '*'] }), ['/permissions']);
  assert.deepEqual(await rules('/api/v1/tenants', { name: '-a' }), ['/name']);
  assert.deepEqual(await rules('/api/v1/tenants', { name: 'a'.repeat(64) }), ['/name']);
  assert.equal((await ask('DELETE', '/api/v1/tokens/1')).status, 400);
  assert.equal((await ask('GET', '/api/v1/tokens?limit=201')).status, 400);
  assert.equal((await ask('GET', '/api/v1/tokens?after=x')).status, 400);
});

test('lists come in pages that join without gap or overlap', async (t) => {
  const { ask } = await start(t);
  for (let n = 0; n < 5; n++) {
    await ask('POST', '/api/v1/tokens', { name: `t${n}`, permissions: ['tokens:read'] });
    await ask('POST', '/api/v1/tenants', { name: `t${n}` });
  }
  for (const [path, expected] of [
    ['/api/v1/tokens', ['administrator (first start)', 't0', 't1', 't2', 't3', 't4']],
    ['/api/v1/tenants', ['main', 't0', 't1', 't2', 't3', 't4']],
  ] as const) {
    const pages: unknown[][] = [];
    let next: string | null = '';
    do {
      const { body }: Answer = await ask('GET', `${path}?limit=2${next ? `&after=${next}` : ''}`);
      pages.push((body.items ?? []).map((item) => item['name']));
      next = body.next ?? null;
    } while (next !== null && pages.length < 10);
    assert.deepEqual(
      pages.map((page) => page.length),
      [2, 2, 2],
    );
    assert.deepEqual(pages.flat(), expected);
    assert.equal((await ask('GET', path)).body['next'], null);
  }
});

test('what was done stands in the audit: by whom, from where, in which request; what was refused does not', async (t) => {
  const { database, ask } = await start(t);
  const made = await ask('POST', '/api/v1/tokens', { name: 'ci', permissions: ['tokens:read'] });
  await ask('DELETE', `/api/v1/tokens/${String(made.body['id'])}`);
  const tenant = await ask('POST', '/api/v1/tenants', { name: 'blue' });
  await ask('POST', '/api/v1/tenants', { name: 'blue' });
  await ask('DELETE', `/api/v1/tokens/${String(made.body['id'])}`);

  const entries = await entriesOf(database);
  assert.deepEqual(
    entries.map(({ resource, action, target }) => [`${resource}.${action}`, target]).slice(1),
    [
      ['token.create', made.body['id']],
      ['token.revoke', made.body['id']],
      ['tenant.create', tenant.body['id']],
    ],
  );
  for (const entry of entries.slice(1)) {
    assert.equal(entry.request_id, 'test-request');
    assert.equal(entry.address, '127.0.0.1');
    assert.ok(entry.actor_id && entry.token_id);
    assert.equal(entry.outcome, 'succeeded');
  }
  assert.doesNotMatch(JSON.stringify(entries), /lsp_/);
});

test('the text of a token is kept nowhere', async (t) => {
  const { database, ask, administrator } = await start(t);
  const { body } = await ask('POST', '/api/v1/tokens', { name: 'ci', permissions: ['*'] });
  const rows = await database.acrossTenants((tx) => tx.selectFrom('tokens').selectAll().execute());
  const kept = JSON.stringify(rows.map((row) => ({ ...row, digest: row.digest.toString('latin1') })));
  for (const text of [administrator, String(body['token'])]) assert.ok(!kept.includes(text.slice(4)));
});
