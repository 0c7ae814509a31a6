import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTargetPolicies, egressErrors, maySent } from './index.ts';
import { errorOf } from './test-support.ts';

const options = { concurrency: 2, queue: 1, outages: 3, restMs: 10_000 };
const down = (): Promise<never> => Promise.reject(egressErrors.egress_connect_failed());
const wrong = (): Promise<never> => Promise.reject(egressErrors.egress_bad_request());

describe('a target', () => {
  it('rests after outages in a row, alone, and is tried again after its rest', async (t) => {
    t.mock.timers.enable({ apis: ['Date'] });
    const policies = createTargetPolicies(options);
    for (let i = 0; i < 3; i++)
      assert.equal((await errorOf(policies.run('a', down))).code, 'egress_connect_failed');
    const paused = await errorOf(policies.run('a', () => Promise.resolve('never')));
    assert.equal(paused.code, 'egress_target_paused');
    assert.equal(paused.occurrence.retryAfter, 10);
    assert.equal(maySent(paused), false);
    assert.equal(await policies.run('b', () => Promise.resolve('ok')), 'ok');
    t.mock.timers.tick(10_001);
    assert.equal(await policies.run('a', () => Promise.resolve('ok')), 'ok');
  });

  it('does not rest because of requests that were wrong', async () => {
    const policies = createTargetPolicies(options);
    for (let i = 0; i < 10; i++) await errorOf(policies.run('a', wrong));
    assert.equal(await policies.run('a', () => Promise.resolve('ok')), 'ok');
  });

  it('takes as many at once as it may, lets few wait, and turns the rest away', async () => {
    const policies = createTargetPolicies(options);
    const { promise, resolve } = Promise.withResolvers<string>();
    const running = [1, 2, 3].map(() => policies.run('a', () => promise));
    const busy = await errorOf(policies.run('a', () => promise));
    assert.equal(busy.code, 'egress_target_busy');
    assert.equal(maySent(busy), false);
    resolve('done');
    assert.deepEqual(await Promise.all(running), ['done', 'done', 'done']);
  });
});
