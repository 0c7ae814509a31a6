import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterOf, retryClassOf } from '../http.ts';
import { plainRequest } from './index.ts';

test('the query joins whatever the address has', () => {
  const query = { a: [1, 'x y'], b: true };
  for (const [url, expected] of [
    ['http://h/p', 'http://h/p?a=1&a=x+y&b=true'],
    ['http://h/p?c=2', 'http://h/p?c=2&a=1&a=x+y&b=true'],
    ['http://h/p?', 'http://h/p?a=1&a=x+y&b=true'],
    ['http://h/p?c#f', 'http://h/p?c&a=1&a=x+y&b=true#f'],
  ] as const)
    assert.equal(plainRequest({ url, query }).url, expected);
  assert.equal(plainRequest({ url: 'http://h', query: {} }).url, 'http://h');
});

test('a body brings its type, unless a header names one', () => {
  assert.deepEqual(plainRequest({ method: 'post', url: 'u', json: null }), {
    method: 'POST',
    url: 'u',
    headers: { 'content-type': 'application/json' },
    body: 'null',
  });
  const named = plainRequest({ url: 'u', form: { a: '&' }, headers: { 'Content-Type': 'x/y' } });
  assert.deepEqual([named.body, named.headers], ['a=%26', { 'Content-Type': 'x/y' }]);
  assert.throws(() => plainRequest({ url: 'u', json: 1, body: '' }), TypeError);
});

test('a status has a retry class', () => {
  const classes = [400, 404, 408, 429, 500, 501, 502, 503, 504, 599].map(retryClassOf);
  assert.deepEqual(classes, [
    'permanent',
    'permanent',
    'timeout',
    'rate_limited',
    'transient',
    'permanent',
    'unavailable',
    'unavailable',
    'timeout',
    'transient',
  ]);
});

test('Retry-After is a number of seconds or a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const of = (text?: string) => retryAfterOf({ headers: { 'retry-after': text } }, now);
  assert.equal(of('3'), 3000);
  assert.equal(of('Thu, 01 Jan 2026 00:01:00 GMT'), 60_000);
  assert.equal(of('Wed, 31 Dec 2025 00:00:00 GMT'), 0);
  assert.deepEqual([of(), of('soon'), of('-1'), of('1.5'), of('Xyz, 99')], Array(5).fill(undefined));
});
