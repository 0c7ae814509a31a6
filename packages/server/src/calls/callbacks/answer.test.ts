import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerOf } from './answer.ts';

test('without a wish a webhook gets its receipt, and a person a page', () => {
  const told = answerOf(undefined, 'webhook', 'r-1');
  assert.equal(told.status, 200);
  assert.deepEqual(JSON.parse(told.body), { receipt: 'r-1' });
  assert.equal(told.headers['linkspan-receipt'], 'r-1');
  const shown = answerOf(undefined, 'redirect', 'r-1');
  assert.match(shown.headers['content-type'] ?? '', /^text\/html/);
  assert.match(shown.body, /close this window/);
});

test('a handler says what is on the list, and nothing else', () => {
  const { headers } = answerOf(
    {
      text: 'ok',
      headers: {
        'X-Hook-Secret': 's',
        Location: 'https://example.com/done',
        'set-cookie': 'a=b',
        'x-accel-redirect': '/etc',
        'content-security-policy': 'default-src *',
        'retry-after': '1\r\nset-cookie: a=b',
        'linkspan-receipt': 'forged',
      },
    },
    'webhook',
    'r-1',
  );
  assert.equal(headers['x-hook-secret'], 's');
  assert.equal(headers['location'], 'https://example.com/done');
  assert.equal(headers['linkspan-receipt'], 'r-1');
  assert.match(headers['content-security-policy'] ?? '', /^default-src 'none'.*sandbox$/);
  for (const name of ['set-cookie', 'x-accel-redirect', 'retry-after'])
    assert.equal(headers[name], undefined, name);
  assert.equal(
    answerOf({ headers: { location: 'javascript:alert(1)' } }, 'webhook', 'r').headers['location'],
    undefined,
  );
});

test('a page holds text, whatever is in it', () => {
  const { body, headers } = answerOf(
    { page: { title: '<script>a</script>', text: '<img src=x>' } },
    'redirect',
    'r',
  );
  assert.ok(!body.includes('<script>a') && !body.includes('<img src=x>'));
  assert.match(headers['content-security-policy'] ?? '', /default-src 'none'.*sandbox$/);
});

test('a status that is not on the list is 200, and 204 has no body', () => {
  assert.equal(answerOf({ status: 500 as never }, 'webhook', 'r').status, 200);
  assert.deepEqual(answerOf({ status: 204, text: 'x' }, 'webhook', 'r').body, '');
});
