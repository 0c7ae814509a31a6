import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import type { Verification } from '@linkspan/sdk';
import { isVerified, secretHeaders, type Proof } from './verification.ts';

const proof = (change: Partial<Proof> = {}): Proof => ({
  headers: {},
  body: Buffer.from('Hello, World!'),
  address: '192.0.2.7',
  now: 1_700_000_000_000,
  ...change,
});
const accepts = (verification: Verification, change: Partial<Proof> = {}) =>
  isVerified([verification], proof(change));

// The example GitHub publishes for its own webhooks.
const GITHUB = '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
const hub: Verification = {
  scheme: 'hmac',
  secret: "It's a Secret to Everybody",
  header: 'X-Hub-Signature-256',
  prefix: 'sha256=',
};
const signed = (value: string | string[]) => ({ headers: { 'x-hub-signature-256': value } });

test('an HMAC in hexadecimal, with a prefix', () => {
  assert.equal(accepts(hub, signed(`sha256=${GITHUB}`)), true);
  assert.equal(accepts(hub, signed(`sha256=${GITHUB.toUpperCase()}`)), true);
  assert.equal(accepts(hub, signed(GITHUB)), false);
  assert.equal(accepts(hub, signed(`sha1=${GITHUB}`)), false);
  assert.equal(accepts(hub, signed(`sha256=${GITHUB.replace('7', '8')}`)), false);
  assert.equal(accepts(hub, signed('')), false);
  assert.equal(accepts(hub, signed([`sha256=${GITHUB}`])), false);
  assert.equal(accepts(hub), false);
  assert.equal(accepts(hub, { ...signed(`sha256=${GITHUB}`), body: Buffer.from('Hello, World?') }), false);
  assert.equal(accepts({ ...hub, secret: '' }, signed(`sha256=${GITHUB}`)), false);
});

test('an HMAC by another algorithm, in base64', () => {
  const asked: Verification = {
    scheme: 'hmac',
    secret: 'k',
    header: 's',
    algorithm: 'sha1',
    encoding: 'base64',
  };
  const own = createHmac('sha1', 'k').update('Hello, World!').digest('base64');
  assert.equal(accepts(asked, { headers: { s: own } }), true);
  assert.equal(accepts(asked, { headers: { s: own.toLowerCase() } }), false);
  assert.equal(accepts({ ...asked, algorithm: 'sha256' }, { headers: { s: own } }), false);
});

const key = Buffer.from('a key of this test, 24 b');
const standard: Verification = { scheme: 'standard-webhooks', secret: `whsec_${key.toString('base64')}` };

function standardHeaders(
  change: { id?: string; timestamp?: number; signature?: (own: string) => string } = {},
) {
  const { id = 'msg_1', timestamp = 1_700_000_000, signature = (own) => own } = change;
  const own = `v1,${createHmac('sha256', key).update(`msg_1.${timestamp}.Hello, World!`).digest('base64')}`;
  return {
    headers: {
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signature(own),
    },
  };
}

test('Standard Webhooks: one good signature among several, in time', () => {
  assert.equal(accepts(standard, standardHeaders()), true);
  assert.equal(
    accepts(standard, standardHeaders({ signature: (own) => `v1,${'A'.repeat(44)} ${own}` })),
    true,
  );
  assert.equal(accepts(standard, standardHeaders({ signature: (own) => own.replace('v1', 'v2') })), false);
  assert.equal(accepts(standard, standardHeaders({ id: 'msg_2' })), false);
  assert.equal(accepts(standard, standardHeaders({ timestamp: 1_700_000_299 })), true);
  assert.equal(accepts(standard, standardHeaders({ timestamp: 1_700_000_301 })), false);
  assert.equal(accepts(standard, standardHeaders({ timestamp: 1_699_999_699 })), false);
  assert.equal(accepts(standard), false);
  assert.equal(accepts({ ...standard, secret: 'whsec_' }, standardHeaders()), false);
});

test('a shared header', () => {
  const asked: Verification = { scheme: 'header', header: 'X-Token', value: 'shared' };
  assert.equal(accepts(asked, { headers: { 'x-token': 'shared' } }), true);
  assert.equal(accepts(asked, { headers: { 'x-token': 'share' } }), false);
  assert.equal(accepts(asked, { headers: { 'x-token': ['shared'] } }), false);
  assert.equal(accepts({ ...asked, value: '' }, { headers: { 'x-token': '' } }), false);
  assert.deepEqual(secretHeaders([asked, hub]), ['x-token']);
});

test('addresses and ranges', () => {
  const from = (address: string, ...ranges: string[]) =>
    accepts({ scheme: 'addresses', ranges }, { address });
  assert.equal(from('192.0.2.7', '192.0.2.0/24'), true);
  assert.equal(from('::ffff:192.0.2.7', '192.0.2.7'), true);
  assert.equal(from('192.0.3.7', '192.0.2.0/24', '10.0.0.0/8'), false);
  assert.equal(from('2001:db8::1', '2001:db8::/32'), true);
  assert.equal(from('2001:db9::1', '2001:db8::/32'), false);
  assert.equal(from('192.0.2.7'), false);
  assert.equal(from('192.0.2.7', 'example.com', '192.0.2.0/24'), false);
});

test('everything that is asked has to hold', () => {
  const token: Verification = { scheme: 'header', header: 'x-token', value: 'shared' };
  const both = [token, hub];
  const headers = { 'x-token': 'shared', 'x-hub-signature-256': `sha256=${GITHUB}` };
  assert.equal(isVerified(both, proof({ headers })), true);
  assert.equal(isVerified(both, proof({ headers: { 'x-token': 'shared' } })), false);
  assert.equal(isVerified([], proof()), true);
  assert.equal(isVerified([{ scheme: 'none' } as never], proof()), false);
});
