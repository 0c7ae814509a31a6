import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandClock } from '../../../test/support/clock.ts';
import { defineErrors } from '../errors.ts';
import { readinessOf } from './readiness.ts';
import { ask, startHttp } from './testing.ts';

const { store_away } = defineErrors({
  store_away: { status: 503, title: 'Away', retryable: true, help: 'Wait.' },
});

test('readiness names each check with ok or a code, and nothing more', async (t) => {
  const { port } = await startHttp(t, {
    checks: {
      fine: () => Promise.resolve(),
      away: () => Promise.reject(store_away({ detail: 'canary' })),
      broken: () => Promise.reject(new Error('canary')),
    },
  });
  const answer = await ask(port, { path: '/readyz', token: null });
  assert.equal(answer.status, 503);
  assert.deepEqual(answer.json, {
    ready: false,
    checks: { fine: 'ok', away: 'store_away', broken: 'internal' },
  });
});

test('a node whose checks hold is ready', async (t) => {
  const { port } = await startHttp(t, { checks: { fine: () => Promise.resolve() } });
  const answer = await ask(port, { path: '/readyz', token: null });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, { ready: true, checks: { fine: 'ok' } });
});

test('checks run once a second, however often they are asked for', async () => {
  const clock = new HandClock();
  let runs = 0;
  const readiness = readinessOf({ counted: async () => void runs++ }, clock);
  for (let times = 0; times < 50; times++) await readiness();
  assert.equal(runs, 1);
  await clock.advance(1_000);
  await Promise.all(Array.from({ length: 50 }, readiness));
  assert.equal(runs, 2);
  assert.equal(clock.pending, 0);
});

test('a check that hangs is a failed one, and is not begun again meanwhile', async () => {
  const clock = new HandClock();
  let runs = 0;
  const hanging = Promise.withResolvers<void>();
  const readiness = readinessOf({ hangs: () => (runs++, hanging.promise) }, clock);
  const first = readiness();
  await clock.advance(3_000);
  assert.deepEqual(await first, { hangs: 'timeout' });
  const second = readiness();
  hanging.resolve();
  assert.deepEqual(await second, { hangs: 'ok' });
  assert.equal(runs, 1);
});
