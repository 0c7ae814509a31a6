import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  acceptedAt,
  detailsOf,
  isEnd,
  newCallId,
  retentionOf,
  type CallState,
  type Retention,
} from './call.ts';

const RETENTIONS: readonly Retention[] = ['brief', 'standard', 'long'];

test('an id carries its retention class and the time it was accepted, and stays a UUIDv7', () => {
  fc.assert(
    fc.property(fc.constantFrom(...RETENTIONS), fc.integer({ min: 0, max: 2 ** 47 }), (retention, now) => {
      const id = newCallId(retention, now);
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(retentionOf(id), RETENTIONS.indexOf(retention) + 1);
      assert.equal(acceptedAt(id), now);
    }),
  );
});

test('ids sort by the time of their acceptance within a class', () => {
  assert.ok(newCallId('brief', 1_000) < newCallId('brief', 1_001));
});

test('an id of something else has no retention class', () => {
  assert.equal(retentionOf('0199c0de-0000-7000-8000-000000000000'), 0);
  assert.equal(retentionOf('0199c0de-0000-7f00-8000-000000000000'), 0);
  assert.equal(retentionOf('nonsense'), 0);
});

test('four states are final', () => {
  const states: CallState[] = ['queued', 'running', 'waiting', 'held', 'continuing', 'cancelling'];
  for (const state of states) assert.equal(isEnd(state), false, state);
  const ends: CallState[] = ['succeeded', 'failed', 'expired', 'cancelled'];
  for (const state of ends) assert.equal(isEnd(state), true, state);
});

test('only what was asked for is stored in the details', () => {
  const call = { tenant: 't', action: 'a', target: 'x', input: '{}' };
  assert.deepEqual(detailsOf(call), {});
  assert.deepEqual(
    detailsOf({ ...call, context: null, place: { run: 'r', step: 's' }, policy: { attempts: 1 } }),
    {
      policy: { attempts: 1 },
      context: null,
      step: 's',
    },
  );
});
