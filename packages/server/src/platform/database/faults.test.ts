import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { HubError } from '../errors.ts';
import { understood, wasContention, wasUnreachable } from './faults.ts';

const withCode = (code: string) => Object.assign(new Error('the words of the server'), { code });

it('says what each error of the database means', () => {
  const meanings: Record<string, string> = {
    ECONNREFUSED: 'database_unavailable',
    ENOENT: 'database_unavailable',
    '08006': 'database_unavailable', // connection failure
    '57P01': 'database_unavailable', // going down
    '57P03': 'database_unavailable', // starting up
    '53300': 'database_unavailable', // too many connections
    '53100': 'database_full',
    '25006': 'database_read_only',
    '57014': 'database_busy', // statement timeout
    '55P03': 'database_busy', // lock timeout
    '40001': 'database_busy', // serialisation failure
    '40P01': 'database_busy', // deadlock
  };
  for (const [code, meaning] of Object.entries(meanings)) {
    const error = understood(withCode(code)) as HubError;
    assert.equal(error.code, meaning, code);
    assert.ok(error.kind.retryable && error.occurrence.retryAfter !== undefined, code);
    assert.ok(!error.message.includes('the words'), 'the words of the server may quote values');
  }
});

it('lets other errors pass as they are', () => {
  for (const error of [
    withCode('23505'),
    withCode('22P02'),
    new Error('Connection is nice'),
    'a text',
    undefined,
  ])
    assert.equal(understood(error), error);
});

it('knows a lost connection that has no code', () => {
  assert.ok(wasUnreachable(new Error('Connection terminated unexpectedly')));
  assert.ok(
    wasUnreachable(Object.assign(new AggregateError([withCode('ECONNREFUSED')]), { code: 'ECONNREFUSED' })),
  );
  assert.ok(!wasUnreachable(withCode('23505')));
  assert.ok(wasContention(withCode('40P01')) && !wasContention(withCode('57014')));
});
