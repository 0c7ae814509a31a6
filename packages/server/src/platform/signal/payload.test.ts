import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { News } from './batch.ts';
import { decode, encode, heartbeat, MOST_BYTES } from './payload.ts';

const topics = (topic: string, news: News) => new Map([[topic, news]]);

describe('payloads of signals', () => {
  it('carry every key once, in payloads PostgreSQL takes', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ maxLength: 512, unit: 'binary' }), { maxLength: 200 }),
        (keys) => {
          const payloads = encode('node-a', topics('t', new Set(keys)));
          for (const payload of payloads) assert.ok(Buffer.byteLength(payload) <= MOST_BYTES);
          const heard = payloads.flatMap((payload) => Array.from(decode(payload)?.about?.news ?? []));
          assert.deepEqual(heard, keys);
        },
      ),
    );
  });

  it('hold the longest key even if every character of it is escaped', () => {
    const [payload = ''] = encode('n'.repeat(36), topics('t'.repeat(60), new Set(['\u0001'.repeat(512)])));
    assert.ok(Buffer.byteLength(payload) <= MOST_BYTES);
  });

  it('fill up: ten thousand ids take few of them', () => {
    const keys = new Set(Array.from({ length: 10_000 }, (_, index) => `${index}`.padStart(36, '0')));
    assert.equal(encode('node-a', topics('t', keys)).length, Math.ceil((10_000 * 39) / (MOST_BYTES - 60)));
  });

  it('tell a topic without keys from one with too many', () => {
    const about = (news: News) => encode('a', topics('t', news)).map((payload) => decode(payload));
    assert.deepEqual(about(new Set()), [{ from: 'a', about: { topic: 't', news: new Set() } }]);
    assert.deepEqual(about('missed'), [{ from: 'a', about: { topic: 't', news: 'missed' } }]);
    assert.deepEqual(decode(heartbeat('a')), { from: 'a' });
  });

  it('are passed over when they are none of ours or of another version', () => {
    const strange = [
      '',
      'x',
      '{',
      'null',
      '3',
      '"text"',
      '[]',
      '{}',
      '{"v":2,"from":"a","topic":"t","keys":[]}',
      '{"v":1,"topic":"t","keys":[]}',
      '{"v":1,"from":"a","topic":3,"keys":[]}',
      '{"v":1,"from":"a","topic":"t"}',
      '{"v":1,"from":"a","topic":"t","keys":"k"}',
      '{"v":1,"from":"a","topic":"t","keys":[1]}',
      '{"v":1,"from":"a","topic":"t","missed":"yes"}',
    ];
    for (const payload of strange) assert.equal(decode(payload), undefined, payload);
    fc.assert(fc.property(fc.string(), (payload) => decode(payload) === undefined));
    fc.assert(fc.property(fc.json(), (payload) => decode(payload) === undefined));
  });
});
