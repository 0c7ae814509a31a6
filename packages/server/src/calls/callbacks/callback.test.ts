import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_BYTES, MOST_DELIVERIES, newCallback, refusalOf, type Callback } from './callback.ts';

const callback: Callback = { tenant: 't', call: 'c', name: 'done', kind: 'webhook', expires: 1_000 };
const found = { callback, open: true, deliveries: 0, bytes: 0 };

test('a new delivery is refused for one reason, by what is stored', () => {
  const refusal = (change: Partial<typeof found> | { callback: undefined }, now = 999) =>
    refusalOf(callback, { ...found, ...change }, now);
  assert.equal(refusal({}), undefined);
  assert.equal(refusal({ callback: undefined }), 'foreign');
  assert.equal(refusal({ callback: { ...callback, kind: 'redirect' } }), 'foreign');
  assert.equal(refusal({ callback: { ...callback, expires: 2_000 } }), 'foreign');
  assert.equal(refusal({ open: false }), 'late');
  assert.equal(refusal({}, 1_000), 'expired');
  assert.equal(refusal({ deliveries: MOST_DELIVERIES }), 'full');
  assert.equal(refusal({ bytes: MOST_BYTES }), 'full');
});

test('a callback lives for as long as was asked, and 400 days at most', () => {
  const day = 24 * 3_600_000;
  const of = (expiresIn?: number) =>
    newCallback({ tenant: 't', id: 'c' }, 'done', expiresIn === undefined ? {} : { expiresIn }, 5).expires;
  assert.equal(of(1_000), 1_005);
  assert.equal(of(), 7 * day + 5);
  assert.equal(of(1e15), 400 * day + 5);
  for (const wrong of [0, -1, Number.NaN]) assert.throws(() => of(wrong), TypeError);
  for (const name of ['', '../x', 'Done', '-', 'x'.repeat(64)])
    assert.throws(() => newCallback({ tenant: 't', id: 'c' }, name, {}, 5), TypeError, name);
});
