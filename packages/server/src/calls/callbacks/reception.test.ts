import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { HubError } from '../../platform/errors.ts';
import { eventually } from '../engine/engine.testing.ts';
import { startCallbacks, TENANT, type RunContext } from './callbacks.testing.ts';
import * as store from './store.ts';

const TOKEN = /\/cb\/(.+)$/;

const code = (expected: string) => (error: unknown) => error instanceof HubError && error.code === expected;

test('without a handler a call ends with the delivery itself: JSON, text, or bytes', async (t) => {
  const hub = await startCallbacks(t);
  for (const [body, type, expected] of [
    [{ paid: true }, 'application/json', { paid: true }],
    [Buffer.from('{broken'), 'application/json', '{broken'],
    [Buffer.from('a=1'), 'text/plain', 'a=1'],
    [Buffer.from([0xff, 0]), 'application/octet-stream', { base64: '/wA=' }],
  ] as const) {
    const id = await hub.ask();
    await hub.becomes(id, 'waiting');
    await hub.deliver(await hub.tokenOf(id), body, { type });
    await hub.becomes(id, 'succeeded');
    assert.deepEqual((await hub.output(id))?.body, expected);
  }
});

test('every attempt gets the same address, whatever life it asks for', async (t) => {
  const given: string[] = [];
  const hub = await startCallbacks(t, {
    async run(ctx: RunContext) {
      given.push(await ctx.callback('done', { expiresIn: 3_600_000 * ctx.attempt }));
      if (ctx.attempt < 3) throw ctx.fail('again');
      throw ctx.wait(60_000);
    },
  });
  const id = await hub.ask();
  await hub.becomes(id, 'waiting');
  assert.equal(given.length, 3);
  assert.equal(new Set(given).size, 1);
  await hub.deliver(TOKEN.exec(given[0]!)![1]!, { paid: true });
  await hub.becomes(id, 'succeeded');
});

test('a handler that breaks off decides nothing: the same request hands it in again', async (t) => {
  let broken = true;
  const seen: unknown[] = [];
  const hub = await startCallbacks(t, {
    async onWebhook(ctx: { context: unknown; delivery: { json(): unknown; method: string } }) {
      seen.push(ctx.context);
      if (broken) throw new Error('a fault of the connector');
      const { method } = ctx.delivery;
      return { complete: { method, headers: {}, query: {}, body: ctx.delivery.json() } };
    },
  });
  const id = await hub.ask();
  await hub.becomes(id, 'waiting');
  const token = await hub.tokenOf(id);
  await assert.rejects(hub.deliver(token, { nth: 1 }), code('callback_unsettled'));
  assert.deepEqual(await hub.states(id), ['failed']);
  assert.equal((await hub.read(id)).state, 'waiting');
  broken = false;
  assert.equal((await hub.deliver(token, { nth: 1 })).status, 200);
  await hub.becomes(id, 'succeeded');
  assert.deepEqual(await hub.states(id), ['continued']);
  assert.deepEqual(seen, [{ order: 7 }, { order: 7 }]);
});

test('an output that is not as declared fails the call, once', async (t) => {
  const hub = await startCallbacks(t, { onWebhook: async () => ({ complete: { method: 1 } }) });
  const id = await hub.ask();
  await hub.becomes(id, 'waiting');
  await hub.deliver(await hub.tokenOf(id), {});
  await hub.becomes(id, 'failed');
});

test('of those that come early the first is used, the others are surpassed', async (t) => {
  const go = Promise.withResolvers<void>();
  const hub = await startCallbacks(t, {
    async run(ctx: RunContext) {
      await ctx.callback('done');
      await go.promise;
      throw ctx.wait(60_000);
    },
  });
  const id = await hub.ask();
  const token = await hub.tokenOf(id);
  for (const nth of [1, 2, 3]) assert.equal((await hub.deliver(token, { nth })).status, 200);
  assert.deepEqual(await hub.states(id), ['decided', 'decided', 'decided']);
  assert.equal((await hub.read(id)).state, 'running');
  go.resolve();
  await hub.becomes(id, 'succeeded');
  assert.deepEqual((await hub.output(id))?.body, { nth: 1 });
  await eventually(async () => !(await hub.states(id)).includes('decided'));
  assert.deepEqual(await hub.states(id), ['continued', 'surpassed', 'surpassed']);
  await assert.rejects(hub.deliver(token, { nth: 2 }), code('callback_over'));
  assert.equal((await hub.deliver(token, { nth: 1 })).status, 200);
});

for (const deaf of [true, false])
  test(`one that came early is used ${deaf ? 'by the sweep when nobody was told' : 'at once, without the sweep'}`, async (t) => {
    const go = Promise.withResolvers<void>();
    const run = async (ctx: RunContext) => {
      await ctx.callback('done');
      await go.promise;
      throw ctx.wait(60_000);
    };
    const hub = await startCallbacks(t, { run }, { deaf, sweeps: deaf });
    const id = await hub.ask();
    await hub.deliver(await hub.tokenOf(id), { early: true });
    go.resolve();
    await hub.becomes(id, 'succeeded');
  });

test('an early one is surpassed when the attempt ends by itself', async (t) => {
  const go = Promise.withResolvers<void>();
  const run = async (ctx: RunContext) => {
    await ctx.callback('done');
    await go.promise;
    return { method: 'NONE', headers: {}, query: {}, body: 'of the attempt' };
  };
  const hub = await startCallbacks(t, { run }, { sweeps: true });
  const id = await hub.ask();
  await hub.deliver(await hub.tokenOf(id), { early: true });
  go.resolve();
  await hub.becomes(id, 'succeeded');
  await eventually(async () => (await hub.states(id))[0] === 'surpassed');
  assert.deepEqual((await hub.output(id))?.body, 'of the attempt');
});

test('a call held because nobody knows whether it happened goes on by its callback', async (t) => {
  const hub = await startCallbacks(t, {
    async run(ctx: RunContext) {
      await ctx.callback('done');
      throw ctx.unknown();
    },
  });
  const id = await hub.ask();
  await hub.becomes(id, 'held');
  await hub.deliver(await hub.tokenOf(id), { happened: true });
  await hub.becomes(id, 'succeeded');
});

test('a call whose wait is over expires, and its callback is over', async (t) => {
  const hub = await startCallbacks(t, {
    async run(ctx: RunContext) {
      await ctx.callback('done');
      throw ctx.wait(50);
    },
  });
  const id = await hub.ask();
  await hub.becomes(id, 'expired');
  await assert.rejects(hub.deliver(await hub.tokenOf(id), {}), code('callback_over'));
  assert.deepEqual(await hub.states(id), []);
});

test('a name, a kind and a number of callbacks have bounds', async (t) => {
  const asks: Record<string, (ctx: RunContext) => Promise<unknown>> = {
    name: (ctx) => ctx.callback('../x'),
    kind: (ctx) => ctx.callback('a').then(() => ctx.callback('a', { kind: 'redirect' })),
    number: (ctx) => Promise.all(Array.from({ length: 21 }, (_, nth) => ctx.callback(`n${nth}`))),
    life: (ctx) => ctx.callback('a', { expiresIn: -1 }),
  };
  const hub = await startCallbacks(t, {
    async run(ctx: RunContext) {
      await asks[String((ctx.input as { any: unknown }).any)]!(ctx);
      throw ctx.wait(60_000);
    },
  });
  for (const any of Object.keys(asks)) {
    const id = await hub.ask({ any });
    await hub.becomes(id, 'failed');
  }
});

test('a callback that has expired leaves when its call is kept no more', async (t) => {
  const hub = await startCallbacks(t, { onWebhook: async () => ({ wait: true }) });
  const id = await hub.ask();
  await hub.becomes(id, 'waiting');
  const forget = () => hub.database.acrossTenants((tx) => store.forget(tx, 100));
  await hub.database.acrossTenants(async (tx) => {
    await sql`insert into callbacks (tenant_id, call_id, name, kind, expires_at)
              values (${TENANT}, ${id}, 'old', 'webhook', '2020-01-01')`.execute(tx);
  });
  await forget();
  assert.equal((await hub.database.asTenant(TENANT, (tx) => store.callbacksOf(tx, TENANT, id))).length, 2);
  await hub.database.acrossTenants((tx) => sql`delete from calls where call_id = ${id}`.execute(tx));
  await forget();
  const rest = await hub.database.asTenant(TENANT, (tx) => store.callbacksOf(tx, TENANT, id));
  assert.deepEqual(
    rest.map(({ name }) => name),
    ['done'],
  );
});

test('a node that stops between the end of the call and its receipt leaves the receipt to be given', async (t) => {
  const go = Promise.withResolvers<void>();
  const run = async (ctx: RunContext) => {
    await ctx.callback('done');
    await go.promise;
    throw ctx.wait(60_000);
  };
  const hub = await startCallbacks(t, { run }, { deaf: true });
  const id = await hub.ask();
  const token = await hub.tokenOf(id);
  const first = await hub.deliver(token, { nth: 1 });
  await hub.deliver(token, { nth: 2 });
  go.resolve();
  await hub.becomes(id, 'waiting');
  const [kept] = await hub.database.asTenant(TENANT, (tx) => store.keptFor(tx, TENANT, id));
  const answer = JSON.parse(kept?.outcome ?? '') as { kind: 'succeeded'; output: string };
  await hub.engine.answer(TENANT, id, 'waiting', { ...answer, by: kept!.id });
  await hub.sweep();
  assert.deepEqual(await hub.states(id), ['continued', 'surpassed']);
  assert.deepEqual(await hub.deliver(token, { nth: 1 }), first);
});

test('a delivery whose handler broke off is not handled any more when the call has ended', async (t) => {
  let handled = 0;
  const hub = await startCallbacks(t, {
    async onWebhook() {
      handled++;
      throw new Error('a fault of the connector');
    },
  });
  const id = await hub.ask();
  await hub.becomes(id, 'waiting');
  const token = await hub.tokenOf(id);
  await assert.rejects(hub.deliver(token, {}), code('callback_unsettled'));
  await hub.engine.cancel(TENANT, id);
  await assert.rejects(hub.deliver(token, {}), code('callback_over'));
  assert.equal(handled, 1);
});
