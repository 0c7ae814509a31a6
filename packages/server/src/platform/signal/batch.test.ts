import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Batch } from './batch.ts';

describe('a batch of signals', () => {
  it('tells once what was sent twice', () => {
    const batch = new Batch();
    assert.equal(batch.isEmpty, true);
    for (const key of ['a', 'b', 'a', undefined]) batch.add('t', key);
    batch.add('u', undefined);
    assert.equal(batch.isEmpty, false);
    assert.deepEqual(
      batch.topics,
      new Map([
        ['t', new Set(['a', 'b'])],
        ['u', new Set()],
      ]),
    );
  });

  it('is bounded: beyond 50,000 keys of a topic it tells that something was missed', () => {
    const batch = new Batch();
    for (let key = 0; key < 50_000; key++) batch.add('t', `${key}`);
    batch.add('t', '0');
    assert.notEqual(batch.topics.get('t'), 'missed');
    batch.add('t', 'one more');
    batch.add('t', '0');
    assert.equal(batch.topics.get('t'), 'missed');
  });

  it('takes another up and loses nothing of either', () => {
    const [one, other] = [new Batch(), new Batch()];
    one.add('t', 'a');
    other.add('t', 'b');
    other.add('u', undefined);
    for (let key = 0; key <= 50_000; key++) other.add('v', `${key}`);
    one.add('v', 'x');
    one.addAll(other);
    assert.deepEqual(
      one.topics,
      new Map<string, unknown>([
        ['t', new Set(['a', 'b'])],
        ['v', 'missed'],
        ['u', new Set()],
      ]),
    );
  });
});
