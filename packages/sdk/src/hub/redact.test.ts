import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRedactor, REDACTED } from './index.ts';

/** Its base64 holds a slash and a plus, and ends with padding. */
const SECRET = '???>>>p@ss/word+"1 é';

test('a secret is taken out however it was encoded on its way', () => {
  const redactor = createRedactor([SECRET]);
  const bytes = Buffer.from(SECRET);
  for (const disguise of [
    SECRET,
    bytes.toString('base64'),
    bytes.toString('base64url'),
    encodeURIComponent(SECRET),
    new URLSearchParams({ a: SECRET }).toString().slice(2),
    JSON.stringify(SECRET).slice(1, -1),
  ])
    assert.equal(redactor.text(`before ${disguise} after`), `before ${REDACTED} after`, disguise);
});

test('values and names of JSON are gone through, to any depth; numbers too', () => {
  const redactor = createRedactor(['canary-value', '4711']);
  assert.deepEqual(redactor.json({ a: ['x canary-value'], 'canary-value': { b: 4711, c: null }, d: true }), {
    a: [`x ${REDACTED}`],
    [REDACTED]: { b: REDACTED, c: null },
    d: true,
  });
});

test('a short secret is taken out where it is the whole text, and shreds no other', () => {
  const redactor = createRedactor(['ab', '']);
  assert.equal(redactor.text('ab'), REDACTED);
  assert.equal(redactor.text('abc'), 'abc');
});

test('of two secrets the one that holds the other leaves no rest', () => {
  const redactor = createRedactor(['inner-part', 'inner-part-and-more']);
  assert.equal(redactor.text('inner-part-and-more'), REDACTED);
  assert.equal(redactor.text('x inner-part-and-more y'), `x ${REDACTED} y`);
});

test('a secret made on the way is taken out from then on', () => {
  const redactor = createRedactor();
  assert.equal(redactor.text('made later'), 'made later');
  redactor.add('made later');
  assert.equal(redactor.text('made later'), REDACTED);
});
