import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { madeAt, newId } from './ids.ts';

const LAST_TIME = 2 ** 48 - 1;

describe('ids', () => {
  it('are UUIDs of version 7 and variant 10, whatever the time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LAST_TIME }), (now) => {
        assert.match(newId(now), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      }),
    );
  });

  it('tell the millisecond they were made in', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: LAST_TIME }), (now) => madeAt(newId(now)) === now));
    const before = Date.now();
    const at = madeAt(newId());
    assert.ok(before <= at && at <= Date.now());
  });

  it('sort as text by the time they were made in', () => {
    const times = fc.uniqueArray(fc.integer({ min: 0, max: LAST_TIME }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(times, (made) => {
        const sorted = made.map((now) => newId(now)).toSorted();
        assert.deepEqual(
          sorted.map(madeAt),
          made.toSorted((a, b) => a - b),
        );
      }),
    );
  });

  it('never repeat within one millisecond, across many blocks of random bits', () => {
    const ids = Array.from({ length: 100_000 }, () => newId(1));
    assert.equal(new Set(ids).size, ids.length);
  });

  it('draw all their 74 random bits', () => {
    const bits = (id: string) => BigInt(`0x${id.replaceAll('-', '')}`);
    const ids = Array.from({ length: 1_000 }, () => bits(newId(0)));
    const [ever, always] = [ids.reduce((a, b) => a | b), ids.reduce((a, b) => a & b)];
    assert.equal(ever.toString(16).padStart(32, '0'), '0000000000007fffbfffffffffffffff');
    assert.equal(always.toString(16).padStart(32, '0'), '00000000000070008000000000000000');
  });
});
