import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HubError } from '../../platform/errors.ts';
import { eventually } from '../engine/engine.testing.ts';
import { startCallbacks, TENANT, type RunContext } from './callbacks.testing.ts';

/**
 * Any order of what may happen to a call with a callback, some of it at once: deliveries (the same again, reports,
 * forged ones, replays), attempts that end as waiting, retried or done, a cancel. Nobody is told when the call waits in half
 * of the runs, as when a node stops right then.
 */
type Step =
  | { readonly kind: 'complete' | 'report'; readonly body: number }
  | { readonly kind: 'attempt'; readonly ends: 'wait' | 'again' | 'done' }
  | { readonly kind: 'forged' | 'cancel' | 'sweep' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('complete' as const), body: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('report' as const), body: fc.nat(1) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('attempt' as const),
      ends: fc.constantFrom('wait' as const, 'wait' as const, 'again' as const, 'done' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('forged' as const, 'cancel' as const, 'sweep' as const) }),
  },
);

/** What may happen at once is one list. */
const story = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 });

for (const deaf of [false, true])
  test(`a callback continues its call at most once, whatever the order (${deaf ? 'nobody' : 'somebody'} is told of the wait)`, async (t) => {
    const gates = new Map<string, (ends: 'wait' | 'again' | 'done') => void>();
    const hub = await startCallbacks(
      t,
      {
        async run(ctx: RunContext) {
          await ctx.callback('done');
          const gate = Promise.withResolvers<'wait' | 'again' | 'done'>();
          gates.set(ctx.call, gate.resolve);
          ctx.signal.addEventListener('abort', () => gate.resolve('again'));
          const ends = await gate.promise;
          if (ends === 'done') return { method: 'NONE', headers: {}, query: {}, body: 'the attempt' };
          throw ends === 'wait' ? ctx.wait(60_000) : ctx.fail('again');
        },
        async onWebhook(ctx: { delivery: { json(): unknown; method: string } }) {
          const body = ctx.delivery.json() as { report?: number };
          if (body.report !== undefined) return { wait: true, progress: body.report };
          return { complete: { method: ctx.delivery.method, headers: {}, query: {}, body } };
        },
        policy: { attempts: 10, delay: 1, jitter: 0 },
      },
      { deaf },
    );

    const play = async (groups: readonly (readonly Step[])[]): Promise<void> => {
      const id = await hub.ask();
      const token = await hub.tokenOf(id);
      const told = new Map<string, Set<string>>();
      const deliver = async (body: object): Promise<void> => {
        const text = JSON.stringify(body);
        const answer = await hub.deliver(token, body).then(
          (one) => `${one.status} ${one.body}`,
          (error: unknown) => {
            assert.ok(error instanceof HubError && error.code === 'callback_over', String(error));
            return undefined;
          },
        );
        if (answer) told.set(text, (told.get(text) ?? new Set()).add(answer));
      };
      const act = async (one: Step): Promise<unknown> => {
        if (one.kind === 'complete') return deliver({ complete: one.body });
        if (one.kind === 'report') return deliver({ report: one.body });
        if (one.kind === 'attempt') return gates.get(id)?.(one.ends);
        if (one.kind === 'cancel') return hub.engine.cancel(TENANT, id);
        if (one.kind === 'sweep') return hub.sweep();
        return assert.rejects(hub.deliver(`${token.slice(0, -1)}~`, {}), { code: 'callback_unknown' });
      };
      for (const group of groups) await Promise.all(group.map(act));

      // Let it come to its end, whatever is left of it.
      await eventually(async () => {
        gates.get(id)?.('wait');
        await hub.sweep();
        const { state } = await hub.read(id);
        if (state === 'waiting') await deliver({ complete: 99 });
        return ['succeeded', 'failed', 'cancelled'].includes((await hub.read(id)).state);
      });
      await hub.sweep();
      const states = await hub.states(id);
      const { state } = await hub.read(id);
      const { body } = (await hub.output(id)) ?? { body: undefined };
      const byDelivery = state === 'succeeded' && body !== 'the attempt';
      const continued = await hub.bodiesOf(id, 'continued');
      assert.deepEqual(continued, byDelivery ? [body] : [], JSON.stringify({ state, states }));
      assert.ok(!states.includes('received') && !states.includes('decided'), JSON.stringify(states));
      for (const [text, answers] of told)
        assert.equal(answers.size, 1, `${text}: ${[...answers].join(' | ')}`);
      await assert.rejects(hub.deliver(token, { complete: 'late' }), { code: 'callback_over' });
      gates.delete(id);
    };
    await fc.assert(fc.asyncProperty(story, play), { numRuns: 20, endOnFailure: true });
  });
