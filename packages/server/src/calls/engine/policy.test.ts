import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_POLICY, pauseAfter, POLICY_BOUNDS, policyFor, type Policy } from './policy.ts';

const within = (name: keyof typeof POLICY_BOUNDS) => {
  const [min, max] = POLICY_BOUNDS[name];
  return name === 'jitter' || name === 'factor'
    ? fc.double({ min, max, noNaN: true })
    : fc.integer({ min, max });
};

const policies: fc.Arbitrary<Policy> = fc.record({
  attempts: within('attempts'),
  delay: within('delay'),
  factor: within('factor'),
  maxDelay: within('maxDelay'),
  jitter: within('jitter'),
  totalTime: within('totalTime'),
  attemptTimeout: within('attemptTimeout'),
  retryOn: fc.constant(DEFAULT_POLICY.retryOn),
});

const chance = fc.double({ min: 0, max: 1, noNaN: true });

test('the pauses of the defaults double up to the longest', () => {
  const pauses = [1, 2, 3, 4, 20].map((attempt) => pauseAfter(DEFAULT_POLICY, attempt, 0));
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 300_000]);
});

test('jitter takes away at most its share', () => {
  assert.equal(pauseAfter({ ...DEFAULT_POLICY, jitter: 0.5 }, 1, 1), 500);
  assert.equal(pauseAfter({ ...DEFAULT_POLICY, jitter: 0.5 }, 1, 0.5), 750);
});

test('Retry-After is honoured when it is longer, up to the longest pause', () => {
  assert.equal(pauseAfter(DEFAULT_POLICY, 1, 0, 30_000), 30_000);
  assert.equal(pauseAfter(DEFAULT_POLICY, 3, 0, 10), 4_000);
  assert.equal(pauseAfter(DEFAULT_POLICY, 1, 0, 10 * 3_600_000), DEFAULT_POLICY.maxDelay);
});

test('any pause is a whole number of milliseconds, never beyond the longest, never below what jitter leaves', () => {
  fc.assert(
    fc.property(
      policies,
      fc.integer({ min: 1, max: 100 }),
      chance,
      fc.nat(10 ** 10),
      (policy, attempt, drawn, after) => {
        const pause = pauseAfter(policy, attempt, drawn, after);
        assert.ok(Number.isInteger(pause));
        assert.ok(pause <= policy.maxDelay);
        const least = Math.min(policy.delay, policy.maxDelay) * (1 - policy.jitter);
        assert.ok(pause >= Math.floor(least), `${pause} < ${least}`);
        assert.ok(pause >= Math.min(after, policy.maxDelay));
      },
    ),
  );
});

test('pauses without jitter never get shorter from one attempt to the next', () => {
  fc.assert(
    fc.property(policies, fc.integer({ min: 1, max: 99 }), (policy, attempt) => {
      assert.ok(pauseAfter(policy, attempt, 0) <= pauseAfter(policy, attempt + 1, 0));
    }),
  );
});

test('the call goes before its action, and the action before the defaults', () => {
  const policy = policyFor({ attempts: 2, delay: 50 }, undefined, { attempts: 7 });
  assert.deepEqual(policy, { ...DEFAULT_POLICY, attempts: 7, delay: 50 });
  assert.deepEqual(policyFor(), DEFAULT_POLICY);
});
