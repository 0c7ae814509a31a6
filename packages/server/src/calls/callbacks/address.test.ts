import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseMasterKey } from '../../platform/seal/index.ts';
import { createAddresses } from './address.ts';
import type { Callback } from './callback.ts';

const keyOf = (byte: string) => parseMasterKey(byte.repeat(32), 'test').signingKey('callbacks');
const addresses = createAddresses(keyOf('a1'));

const callbacks: fc.Arbitrary<Callback> = fc.record({
  tenant: fc.uuid(),
  call: fc.uuid(),
  name: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/),
  kind: fc.constantFrom('webhook', 'redirect'),
  expires: fc.integer({ min: 0, max: 4_102_444_800_000 }),
});

/** Everything that may stand in a path without being encoded. */
const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&()*+,=:@';

test('an address says what it was made from, and is the same each time', () => {
  fc.assert(
    fc.property(callbacks, (callback) => {
      const token = addresses.tokenOf(callback);
      assert.deepEqual(addresses.read(token), { ...callback });
      assert.equal(addresses.tokenOf({ ...callback }), token);
      assert.ok(token.length < 400);
    }),
  );
});

test('any character changed, added or left out makes it unknown', () => {
  fc.assert(
    fc.property(callbacks, fc.nat(), fc.constantFrom(...CHARACTERS.split('')), (callback, place, other) => {
      const token = addresses.tokenOf(callback);
      const at = place % token.length;
      const changed = token.slice(0, at) + other + token.slice(at + 1);
      if (changed !== token) assert.equal(addresses.read(changed), undefined);
      assert.equal(addresses.read(token.slice(0, at) + token.slice(at + 1)), undefined);
      assert.equal(addresses.read(token.slice(0, at) + other + token.slice(at)), undefined);
    }),
    { numRuns: 300 },
  );
});

test('every single character of one address counts, the spare bits of its last ones too', () => {
  const token = addresses.tokenOf({
    tenant: '00000000-0000-7000-8000-000000000001',
    call: '0198a0b0-0000-2000-8000-000000000003',
    name: 'done',
    kind: 'webhook',
    expires: 1_900_000_000_000,
  });
  for (let at = 0; at < token.length; at++)
    for (const other of CHARACTERS)
      if (other !== token[at])
        assert.equal(addresses.read(token.slice(0, at) + other + token.slice(at + 1)), undefined);
});

test('an address of another hub, and parts of two put together, are unknown', () => {
  const others = createAddresses(keyOf('b2'));
  fc.assert(
    fc.property(callbacks, callbacks, (one, two) => {
      assert.equal(addresses.read(others.tokenOf(one)), undefined);
      const [first, second] = [addresses.tokenOf(one), addresses.tokenOf(two)];
      const mixed = `${first.slice(0, first.lastIndexOf('.'))}${second.slice(second.lastIndexOf('.'))}`;
      if (mixed !== first) assert.equal(addresses.read(mixed), undefined);
    }),
  );
});

test('a digest tells every part of a request apart', () => {
  const body = Buffer.from('b');
  const first = addresses.digest(['POST', 'q'], body);
  assert.deepEqual(addresses.digest(['POST', 'q'], body), first);
  for (const [parts, other] of [
    [['POST', ''], 'qb'],
    [['POSTq', ''], 'b'],
    [['POST', 'q', ''], 'b'],
    [['POST', 'q'], 'B'],
  ] as const)
    assert.notDeepEqual(addresses.digest(parts, Buffer.from(other)), first);
});
