import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openTestDatabase } from '../../test/support/database.ts';
import type { Database } from '../platform/database/index.ts';
import { newId } from '../platform/ids.ts';
import { createAuthenticator, ensureAdministrator, MAIN_TENANT } from './index.ts';
import * as store from './store.ts';
import { tokenDigest } from './token.ts';

async function start(t: TestContext) {
  const database = await openTestDatabase(t);
  const { caller, newToken } = await ensureAdministrator(database, { tokenConfigured: true });
  assert.equal(newToken, undefined);
  let now = Date.UTC(2026, 0, 1);
  const authenticator = createAuthenticator({ database, now: () => now });
  const insert = (text: string, expiresAt: Date | null = null) =>
    database.asTenant(MAIN_TENANT.id, (tx) =>
      store.insertToken(
        tx,
        {
          id: newId(),
          tenant: MAIN_TENANT.id,
          principal: caller.principal,
          name: 'x',
          permissions: ['*'],
          expiresAt,
        },
        tokenDigest(text),
      ),
    );
  const remove = (id: string) =>
    database.asTenant(MAIN_TENANT.id, (tx) => store.deleteToken(tx, MAIN_TENANT.id, id));
  return {
    database,
    caller,
    authenticator,
    insert,
    remove,
    pass: (ms: number) => (now += ms),
    now: () => now,
  };
}

test('who holds a token is found; nobody holds another text', async (t) => {
  const { authenticator, insert, caller } = await start(t);
  const token = await insert('right');
  const found = await authenticator.authenticate('right');
  assert.deepEqual(found, {
    tenant: MAIN_TENANT.id,
    principal: caller.principal,
    token: token.id,
    grants: new Set(['*']),
  });
  assert.equal(await authenticator.authenticate('wrong'), undefined);
  assert.equal(await authenticator.authenticate(''), undefined);
});

test('a token that ends is refused from that moment, remembered or not', async (t) => {
  const { authenticator, insert, now, pass } = await start(t);
  await insert('brief', new Date(now() + 1_000));
  assert.ok(await authenticator.authenticate('brief'));
  pass(999);
  assert.ok(await authenticator.authenticate('brief'));
  pass(1);
  assert.equal(await authenticator.authenticate('brief'), undefined);
});

test('a revoked token is refused at once where that is known, and after five seconds everywhere', async (t) => {
  const { authenticator, insert, remove, pass } = await start(t);
  const [known, unheard] = [await insert('known'), await insert('unheard')];
  await authenticator.authenticate('known');
  await authenticator.authenticate('unheard');
  await remove(known.id);
  await remove(unheard.id);
  authenticator.forget(known.id);
  assert.equal(await authenticator.authenticate('known'), undefined);
  assert.ok(await authenticator.authenticate('unheard'));
  pass(5_000);
  assert.equal(await authenticator.authenticate('unheard'), undefined);
});

test('when a revocation may have been missed, nothing is remembered', async (t) => {
  const { authenticator, insert, remove } = await start(t);
  const token = await insert('missed');
  await authenticator.authenticate('missed');
  await remove(token.id);
  authenticator.forgetAll();
  assert.equal(await authenticator.authenticate('missed'), undefined);
});

test('an answer that was under way while a token was revoked is not remembered', async (t) => {
  const { database, insert, remove, now } = await start(t);
  const token = await insert('racing');
  const [read, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow: Database = {
    ...database,
    async acrossTenants(work) {
      const result = await database.acrossTenants(work);
      read.resolve();
      await release.promise;
      return result;
    },
  };
  const authenticator = createAuthenticator({ database: slow, now });
  const answer = authenticator.authenticate('racing');
  await read.promise;
  await remove(token.id);
  authenticator.forget(token.id);
  release.resolve();
  await answer;
  assert.equal(await authenticator.authenticate('racing'), undefined);
});

test('the configured token stands for the administrator, without the database', async (t) => {
  const { database, caller, now } = await start(t);
  const text = 'a-configured-token-of-32-characters';
  const authenticator = createAuthenticator({ database, now, configured: { text, caller } });
  assert.equal(await authenticator.authenticate(text), caller);
  assert.equal(await authenticator.authenticate(`${text}x`), undefined);
});

test('a token is made at the first start, and again only when nobody could get in', async (t) => {
  const database = await openTestDatabase(t);
  const first = await ensureAdministrator(database, { tokenConfigured: false });
  const second = await ensureAdministrator(database, { tokenConfigured: false });
  assert.ok(first.newToken);
  assert.equal(second.newToken, undefined);
  assert.equal(second.caller.principal, first.caller.principal);
  const authenticator = createAuthenticator({ database, now: Date.now });
  const holder = await authenticator.authenticate(first.newToken);
  await database.asTenant(MAIN_TENANT.id, (tx) => store.deleteToken(tx, MAIN_TENANT.id, holder?.token ?? ''));
  const third = await ensureAdministrator(database, { tokenConfigured: false });
  assert.ok(third.newToken);
  assert.notEqual(third.newToken, first.newToken);
});
