import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HandClock } from '../../../test/support/clock.ts';
import { KeyCache } from './key-cache.ts';

/** A cache that counts its loads: the value of a name is how often anything was loaded before it. */
function open(bounds = { entries: 2, ms: 1_000 }) {
  const clock = new HandClock();
  const cache = new KeyCache<number>(clock, bounds);
  let loads = 0;
  return { clock, cache, get: (name: string) => cache.get(name, async () => loads++) };
}

describe('the cache of keys', () => {
  it('loads once, also for those who ask meanwhile', async () => {
    const { get } = open();
    assert.deepEqual(await Promise.all([get('a'), get('a')]), [0, 0]);
    assert.equal(await get('a'), 0);
  });

  it('lets the longest unused go beyond its number of entries', async () => {
    const { cache, get } = open();
    for (const name of ['a', 'b', 'a', 'c']) await get(name);
    assert.equal(cache.size, 2);
    assert.deepEqual([await get('a'), await get('b')], [0, 3]);
  });

  it('loads anew after its time, however often an entry is used', async () => {
    const { clock, get } = open();
    for (let ms = 0; ms < 1_000; ms += 250) {
      assert.equal(await get('a'), 0);
      await clock.advance(250);
    }
    assert.equal(await get('a'), 1);
  });

  it('holds nothing longer than twice its time, even if nobody asks, and then no timer', async () => {
    const { clock, cache, get } = open();
    await get('a');
    await clock.advance(999);
    await get('b');
    await clock.advance(1_001);
    assert.equal(cache.size, 0);
    assert.equal(clock.pending, 0);
  });

  it('does not keep what failed to load', async () => {
    const { cache, get } = open();
    await assert.rejects(
      cache.get('a', () => Promise.reject(new Error('no'))),
      /no/,
    );
    assert.equal(await get('a'), 0);
  });

  it('forgets on demand', async () => {
    const { clock, cache, get } = open();
    await get('a');
    cache.clear();
    assert.deepEqual([cache.size, clock.pending, await get('a')], [0, 0, 1]);
  });
});
