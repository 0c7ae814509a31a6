import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { newCallId, type OwnedCall } from './call.ts';
import { decide, type Circumstances } from './decide.ts';
import { anAccept, aCall, asOwned } from './engine.testing.ts';
import type { CallError, Outcome, Repeatable } from './outcome.ts';
import { DEFAULT_POLICY, type RetryClass } from './policy.ts';

const ACCEPTED = Date.UTC(2026, 0, 1);
const CLASSES: readonly RetryClass[] = ['transient', 'timeout', 'rate_limited', 'unavailable', 'permanent'];
const REPEATABLE: readonly Repeatable[] = ['idempotent', 'keyed', 'probed', 'never'];

function call(more: Partial<OwnedCall> = {}): OwnedCall {
  return asOwned(anAccept(aCall('t'), { id: newCallId('standard', ACCEPTED) }), more);
}

const around = (more: Partial<Circumstances> = {}): Circumstances => ({
  policy: { ...DEFAULT_POLICY, jitter: 0 },
  repeatable: 'idempotent',
  now: ACCEPTED + 1_000,
  chance: 0,
  ...more,
});

const error = (retry: RetryClass, retryAfter?: number): CallError => ({
  code: 'it',
  message: 'It.',
  retry,
  ...(retryAfter !== undefined && { retryAfter }),
});
const failed = (retry: RetryClass, retryAfter?: number): Outcome => ({
  kind: 'failed',
  error: error(retry, retryAfter),
});
const unknown: Outcome = { kind: 'unknown', error: error('transient') };

describe('what becomes of a call', () => {
  const policy = { ...DEFAULT_POLICY, jitter: 0 };
  const table: [string, OwnedCall, Outcome, Partial<Circumstances>, unknown][] = [
    ['success ends it', call(), { kind: 'succeeded', output: '1' }, {}, { to: 'succeeded' }],
    [
      'a wait lasts as long as it says',
      call(),
      { kind: 'waiting', forAtMost: 7 },
      {},
      { to: 'waiting', delay: 7 },
    ],
    ['a transient failure is tried again', call(), failed('transient'), {}, { to: 'queued', delay: 1_000 }],
    ['Retry-After is honoured', call(), failed('rate_limited', 9_000), {}, { to: 'queued', delay: 9_000 }],
    ['a permanent failure ends it', call(), failed('permanent'), {}, { to: 'failed' }],
    [
      'a permanent failure ends it, whatever the policy says',
      call(),
      failed('permanent'),
      { policy: { ...policy, retryOn: ['permanent'] } },
      { to: 'failed' },
    ],
    [
      'a class the policy leaves out ends it',
      call(),
      failed('timeout'),
      { policy: { ...policy, retryOn: ['transient'] } },
      { to: 'failed' },
    ],
    ['the last attempt ends it', call({ attempt: 5 }), failed('transient'), {}, { to: 'failed' }],
    [
      'no attempt starts after the total time',
      call(),
      failed('transient'),
      { policy: { ...policy, totalTime: 2_000 } },
      { to: 'failed' },
    ],
    [
      'one that starts just before it does',
      call(),
      failed('transient'),
      { policy: { ...policy, totalTime: 2_001 } },
      { to: 'queued', delay: 1_000 },
    ],
    [
      'no attempt starts after the deadline',
      call({ deadline: ACCEPTED + 1_500 }),
      failed('transient'),
      {},
      { to: 'failed' },
    ],
    [
      'past the deadline it is expired',
      call({ deadline: ACCEPTED + 1_000 }),
      failed('timeout'),
      {},
      { to: 'expired' },
    ],
    ['unknown and idempotent: again', call(), unknown, {}, { to: 'queued', delay: 1_000 }],
    ['unknown and keyed: again', call(), unknown, { repeatable: 'keyed' }, { to: 'queued', delay: 1_000 }],
    [
      'unknown and probed: asked first',
      call(),
      unknown,
      { repeatable: 'probed' },
      { to: 'queued', delay: 1_000, reason: 'probe' },
    ],
    [
      'unknown and never: held',
      call(),
      unknown,
      { repeatable: 'never' },
      { to: 'held', reason: 'unknown_outcome' },
    ],
    [
      'unknown is retried though the policy retries nothing',
      call(),
      unknown,
      { policy: { ...policy, retryOn: [] } },
      { to: 'queued', delay: 1_000 },
    ],
    [
      'unknown in the last attempt: held',
      call({ attempt: 5 }),
      unknown,
      {},
      { to: 'held', reason: 'unknown_outcome' },
    ],
    [
      'unknown in the last attempt and probed: asked once more',
      call({ attempt: 5 }),
      unknown,
      { repeatable: 'probed' },
      { to: 'queued', delay: 16_000, reason: 'probe' },
    ],
    [
      'that question unanswered: held',
      call({ attempt: 6 }),
      unknown,
      { repeatable: 'probed' },
      { to: 'held', reason: 'unknown_outcome' },
    ],
  ];
  for (const [name, made, outcome, more, expected] of table)
    it(name, () => assert.deepEqual(decide(made, outcome, around(more)), expected));
});

const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant({ kind: 'succeeded', output: '1' } as const),
  fc.record({ kind: fc.constant('waiting' as const), forAtMost: fc.nat(10 ** 9) }),
  fc
    .tuple(
      fc.constantFrom('failed' as const, 'unknown' as const),
      fc.constantFrom(...CLASSES),
      fc.nat(10 ** 9),
    )
    .map(([kind, retry, after]): Outcome => ({ kind, error: error(retry, after) })),
);

const cases = fc.record({
  attempt: fc.integer({ min: 1, max: 12 }),
  passed: fc.nat(10 ** 8),
  deadline: fc.option(fc.nat(10 ** 8), { nil: undefined }),
  attempts: fc.integer({ min: 1, max: 10 }),
  totalTime: fc.nat(10 ** 8),
  delay: fc.integer({ min: 10, max: 10 ** 7 }),
  retryOn: fc.subarray([...CLASSES]),
  repeatable: fc.constantFrom(...REPEATABLE),
  chance: fc.double({ min: 0, max: 1, noNaN: true }),
  outcome: outcomes,
});

function decided(one: typeof cases extends fc.Arbitrary<infer T> ? T : never) {
  const { attempt, passed, deadline, attempts, totalTime, delay, retryOn, repeatable, chance, outcome } = one;
  const made = call({ attempt, deadline: deadline === undefined ? undefined : ACCEPTED + deadline });
  const policy = { ...DEFAULT_POLICY, attempts, totalTime, delay, retryOn };
  return decide(made, outcome, { policy, repeatable, now: ACCEPTED + passed, chance });
}

test('a retry never goes beyond the attempts, the total time or the deadline', () => {
  fc.assert(
    fc.property(cases, (one) => {
      const decision = decided(one);
      if (decision.to !== 'queued' || decision.reason === 'probe') return;
      assert.ok(one.attempt < one.attempts);
      const next = one.passed + decision.delay;
      assert.ok(next < one.totalTime);
      assert.ok(one.deadline === undefined || next < one.deadline);
    }),
    { numRuns: 2_000 },
  );
});

test('what nobody knows is repeated only as the action allows, and asking ends one question after the last attempt', () => {
  fc.assert(
    fc.property(cases, (one) => {
      const decision = decided(one);
      if (one.outcome.kind !== 'unknown' || decision.to !== 'queued') return;
      assert.notEqual(one.repeatable, 'never');
      assert.equal(decision.reason === 'probe', one.repeatable === 'probed');
      assert.ok(one.attempt <= one.attempts);
      assert.ok(decision.delay > 0);
    }),
    { numRuns: 2_000 },
  );
});

test('an unknown outcome never ends a call: it goes on or a person looks', () => {
  fc.assert(
    fc.property(cases, (one) => {
      if (one.outcome.kind !== 'unknown') return;
      assert.ok(['queued', 'held'].includes(decided(one).to));
    }),
    { numRuns: 1_000 },
  );
});
