import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actorOf, holds, newTokenText, tokenDigest } from './token.ts';

test('a token is long, random and recognisable', () => {
  const made = new Set(Array.from({ length: 1_000 }, newTokenText));
  assert.equal(made.size, 1_000);
  for (const text of made) assert.match(text, /^lsp_[A-Za-z0-9_-]{43}$/);
});

test('a digest is one for each text and tells nothing of it', () => {
  assert.deepEqual(tokenDigest('a'), tokenDigest('a'));
  assert.notDeepEqual(tokenDigest('a'), tokenDigest('b'));
  assert.equal(tokenDigest('a').length, 32);
});

test('a token holds until the moment of its end', () => {
  assert.equal(holds(null, Number.MAX_SAFE_INTEGER), true);
  assert.equal(holds(new Date(1_000), 999), true);
  assert.equal(holds(new Date(1_000), 1_000), false);
  assert.equal(holds(new Date(Number.NaN), 0), false);
});

test('the actor of a caller carries its token only when there is one', () => {
  const caller = { tenant: 't', principal: 'p', grants: new Set<string>() };
  assert.deepEqual(actorOf(caller, { address: '::1' }), { tenant: 't', principal: 'p', address: '::1' });
  assert.equal(actorOf({ ...caller, token: 'k' }, {}).token, 'k');
});
