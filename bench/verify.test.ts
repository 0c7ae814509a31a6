import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verify, type Account, type Served } from './verify.ts';

const ONCE = { steps: 2, faults: false };
const KILLED = { steps: 2, faults: true };

/** `1.2` is step 2 of run 1. */
function served(...steps: string[]): Served[] {
  return steps.map((text, index) => {
    const [key, step] = text.split('.').map(Number);
    return { key: key!, step: step!, at: index };
  });
}

function account(part: Partial<Account>): Account {
  return { accepted: [], refused: [], unanswered: [], ...part };
}

test('runs that were made once are in order', () => {
  const verdict = verify(served('1.1', '2.1', '1.2', '2.2'), account({ accepted: [1, 2] }), ONCE);
  assert.deepEqual(verdict, { accepted: 2, served: 4, again: 0, repeats: [], faults: [] });
});

test('an accepted run that lacks a step is lost', () => {
  const { faults } = verify(served('1.1'), account({ accepted: [1, 2] }), KILLED);
  assert.deepEqual(faults, [
    'lost: run 1 was accepted, step 2 never made',
    'lost: run 2 was accepted, step 1 never made',
  ]);
});

test('a step made twice is a fault, unless processes were killed', () => {
  const log = served('1.1', '1.1', '1.2');
  assert.deepEqual(verify(log, account({ accepted: [1] }), ONCE).faults, [
    'twice: step 1 of run 1 was made 2 times',
  ]);
  const killed = verify(log, account({ accepted: [1] }), KILLED);
  assert.deepEqual(killed.faults, []);
  assert.equal(killed.again, 1);
  assert.deepEqual(killed.repeats, [{ key: 1, step: 1, times: 2 }]);
});

test('a step that was recorded is not made again, whoever is killed', () => {
  assert.deepEqual(verify(served('1.1', '1.2', '1.1'), account({ accepted: [1] }), KILLED).faults, [
    'repeated: step 1 of run 1 was made again after step 2',
  ]);
});

test('no step begins before the one before it', () => {
  const { faults } = verify(served('1.2', '1.1'), account({ accepted: [1] }), ONCE);
  assert.ok(faults.includes('skipped: run 1 went from step 0 to step 2'));
});

test('a request without an answer runs in full or not at all', () => {
  assert.deepEqual(verify(served('1.1', '1.2'), account({ unanswered: [1, 2] }), KILLED).faults, []);
  assert.deepEqual(verify(served('1.1'), account({ unanswered: [1] }), KILLED).faults, [
    'lost: run 1 had begun, step 2 never made',
  ]);
});

test('what was refused or never asked for must not run', () => {
  assert.deepEqual(verify(served('1.1', '1.2'), account({ refused: [1] }), ONCE).faults, [
    'stray: run 1 was refused and made all the same',
  ]);
  assert.deepEqual(verify(served('7.1', '7.2'), account({}), ONCE).faults, [
    'stray: run 7 was never asked for',
  ]);
});

test('many faults are counted, not listed', () => {
  const accepted = Array.from({ length: 500 }, (_, key) => key);
  const { faults } = verify([], account({ accepted }), ONCE);
  assert.equal(faults.length, 11);
  assert.equal(faults.at(-1), '… and 490 more');
});
