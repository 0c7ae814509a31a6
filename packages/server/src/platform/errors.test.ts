import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defineErrors, HubError } from './errors.ts';

const errors = defineErrors({
  door_shut: { status: 409, title: 'The door is shut', retryable: true, help: 'Open it.' },
  door_gone: { status: 410, title: 'The door is gone', retryable: false, help: 'Build one.' },
});

describe('errors', () => {
  it('have a kind for each key, whose code is the key', () => {
    assert.deepEqual(Object.keys(errors), ['door_shut', 'door_gone']);
    assert.deepEqual(errors.door_gone.kind, {
      code: 'door_gone',
      status: 410,
      title: 'The door is gone',
      retryable: false,
      help: 'Build one.',
    });
  });

  it('are occurrences of their kind', () => {
    const error = errors.door_shut();
    assert.ok(error instanceof HubError && error instanceof Error);
    assert.equal(error.kind, errors.door_shut.kind);
    assert.deepEqual([error.name, error.code, error.message], ['HubError', 'door_shut', 'The door is shut']);
    assert.deepEqual(error.occurrence, {});
    assert.equal('cause' in error, false);
  });

  it('say what differs from one occurrence to the next', () => {
    const occurrence = {
      detail: 'The green door is shut.',
      faults: [{ path: '/door', rule: 'open', message: 'is shut' }],
      retryAfter: 3,
      headers: { allow: 'GET' },
      cause: new Error('a gust'),
    };
    const error = errors.door_shut(occurrence);
    assert.equal(error.message, 'The green door is shut.');
    assert.equal(error.cause, occurrence.cause);
    assert.deepEqual(error.occurrence, occurrence);
  });

  it('point at where they were raised', () => {
    assert.match(errors.door_shut().stack ?? '', /errors\.test\.ts/);
  });
});
