import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputAfter, inputOf, stepOf, stepPath } from './step.ts';

test('a step leads to the next one, and the last to none', () => {
  const first = inputOf('http://127.0.0.1:4000', { step: 1, last: 2, key: 7 });
  assert.deepEqual(JSON.parse(first), { url: 'http://127.0.0.1:4000/s/1/2/7' });
  const second = inputAfter(first);
  assert.equal(second, inputOf('http://127.0.0.1:4000', { step: 2, last: 2, key: 7 }));
  assert.equal(inputAfter(second), undefined);
});

test('a path says which step it is', () => {
  const step = { step: 3, last: 4, key: 10_000_001 };
  assert.deepEqual(stepOf(stepPath(step)), step);
  assert.equal(stepOf('/echo'), undefined);
});
