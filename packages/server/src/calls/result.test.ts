import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HubError } from '../platform/errors.ts';
import { newCallId, type CallError } from './engine/index.ts';
import { outputOf, type End } from './result.ts';

const id = newCallId();

function end(state: End['state'], error?: CallError, output?: string): End {
  return { id, state, output, error: error && JSON.stringify(error), context: undefined };
}

/** The error an end is answered with. */
function thrown(how: End): HubError {
  try {
    outputOf(how);
  } catch (error) {
    assert.ok(error instanceof HubError);
    return error;
  }
  throw new Error('it was answered with an output');
}

test('a call that succeeded is answered with its output, any JSON', () => {
  for (const output of ['{"a":[1,null]}', '"text"', 'null', 'false', '0'])
    assert.deepEqual(outputOf(end('succeeded', undefined, output)), JSON.parse(output));
});

test('the class of an error decides the status, and whether the same request may succeed later', () => {
  const statuses = { permanent: 422, rate_limited: 429, transient: 502, unavailable: 503, timeout: 504 };
  for (const [retry, status] of Object.entries(statuses) as [CallError['retry'], number][]) {
    const { kind, occurrence } = thrown(end('failed', { code: 'no_luck', message: 'It did not.', retry }));
    assert.deepEqual([kind.code, kind.status, kind.retryable], ['no_luck', status, retry !== 'permanent']);
    assert.equal(occurrence.detail, 'It did not.');
    assert.equal(occurrence.members?.['call'], id);
    assert.equal(occurrence.members['retry'], retry);
  }
});

test('the pause a target asked for is told in seconds, and its details as they are', () => {
  const details = { status: 429 };
  const error = { code: 'a', message: 'b', retry: 'rate_limited', retryAfter: 1_500, details } as const;
  const { occurrence } = thrown(end('failed', error));
  assert.equal(occurrence.retryAfter, 1.5);
  assert.deepEqual(occurrence.members?.['details'], details);
});

test('an end that is no failure of the action has a code of the hub', () => {
  const last = { code: 'slow', message: 'Too slow.', retry: 'timeout' } as const;
  const expired = thrown(end('expired', last));
  assert.deepEqual([expired.code, expired.kind.status], ['call_expired', 504]);
  assert.equal(expired.occurrence.members?.['lastCode'], 'slow');
  assert.equal(thrown(end('expired')).code, 'call_expired');
  assert.deepEqual(
    [thrown(end('cancelled')).code, thrown(end('cancelled')).kind.status],
    ['call_cancelled', 409],
  );
  assert.deepEqual([thrown(end('failed')).code, thrown(end('failed')).kind.status], ['call_failed', 502]);
});
