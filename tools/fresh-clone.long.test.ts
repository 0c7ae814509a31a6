import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { freshClone, startHub, TOKEN } from './fresh-clone.ts';

/** A user without an entry in the list of users, as containers have them. */
const ORDINARY = 54_321;

/** Milliseconds. The promise is three seconds on a machine that does nothing else. */
const SECOND_START = 3_000;

async function startsTwice(t: TestContext, uid?: number): Promise<void> {
  const clone = await freshClone(t, uid);
  const first = await startHub(t, clone);
  const token = await first.printed(TOKEN);
  assert.doesNotMatch(first.output(), /EBADENGINE|npm warn/i);
  const listed = await fetch(`${first.address}/api/v1/tokens`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(listed.status, 200);
  assert.equal(await first.stop(), 0, first.output());
  await assert.rejects(fetch(first.address), 'the hub is still there');

  const second = await startHub(t, clone);
  t.diagnostic(`second start: ${Math.round(second.took)} ms`);
  assert.ok(second.took < SECOND_START, `the second start took ${Math.round(second.took)} ms`);
  assert.equal(await second.stop(), 0, second.output());
  assert.doesNotMatch(second.output(), TOKEN);
}

test('a fresh clone starts with one command, and again', (t) => startsTwice(t));

test('a fresh clone of an ordinary user starts with one command, and again', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can become another user');
  return startsTwice(t, ORDINARY);
});
