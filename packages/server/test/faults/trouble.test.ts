import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { newId } from '../../src/platform/ids.ts';
import { chanceOf } from './chance.ts';
import { check } from './checker.ts';
import { anyAsk } from './clients.ts';
import type { Ask } from './node.ts';
import { startOwnServer } from './postgres.ts';
import { isJournalWrite, type Exchange, type Intercept, type Phase } from './proxy.ts';
import { allQuiet, readCalls } from './records.ts';
import { setScene } from './scene.ts';
import { until } from './until.ts';

const server = await startOwnServer({ after });

/** Milliseconds. */
const LEASE = 2_000;

/** Ends the connection over a commit, once, when what it committed is what the test is about. */
function onceOnCommit(isMeant: () => Promise<boolean>): { intercept: Intercept; happened: () => boolean } {
  let happened = false;
  return {
    happened: () => happened,
    async intercept({ statement }, phase) {
      if (statement !== 'commit' || phase !== 'answered' || happened || !(await isMeant())) return 'pass';
      happened = true;
      return 'cut';
    },
  };
}

describe('a node that was not told of what it owns', { concurrency: true }, () => {
  it('finds a call it claimed', async (t) => {
    const { target, stub, clients, node: start } = await setScene(t, server);
    const { node, proxy } = await start(LEASE);
    const claim = onceOnCommit(async () =>
      (await readCalls(target)).some(({ open }) => open?.state === 'running'),
    );
    proxy.intercept = claim.intercept;
    const ask: Ask = { action: 't/idempotent', run: newId(), delay: 100 };
    assert.ok(await clients.note(ask, node.accept(ask)));
    await allQuiet(target);
    assert.ok(claim.happened());
    const { executed, unknown } = await check({ target, stub, clients });
    assert.deepEqual({ executed, unknown }, { executed: 1, unknown: 1 });
  });

  it('finds a call it adopted', async (t) => {
    const { target, stub, clients, node: start } = await setScene(t, server);
    const [lost, heir] = await Promise.all([start(LEASE), start(LEASE)]);
    const release = Promise.withResolvers<void>();
    stub.treat = ({ attempt }) => (attempt === 1 ? { after: release.promise } : {});
    const ask: Ask = { action: 't/idempotent', run: newId() };
    assert.ok(await clients.note(ask, lost.node.accept(ask)));
    await until('it is sent', () => stub.log.length === 1);
    const [{ open: first } = {}] = await readCalls(target);
    const adoption = onceOnCommit(async () =>
      (await readCalls(target)).some(({ open }) => open?.node !== first?.node),
    );
    heir.proxy.intercept = adoption.intercept;
    lost.proxy.shut();
    await allQuiet(target);
    assert.ok(adoption.happened());
    lost.proxy.open();
    release.resolve();
    const { executed, unknown } = await check({ target, stub, clients });
    assert.deepEqual({ executed, unknown }, { executed: 2, unknown: 1 });
  });
});

describe('a node that lost its way to the database', { concurrency: true }, () => {
  it('does not overwrite what another made of its call, and its outcome is kept as late', async (t) => {
    const { target, stub, clients, node: start } = await setScene(t, server);
    const [lost] = await Promise.all([start(LEASE), start(LEASE)]);
    const [first, again] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    stub.treat = ({ attempt, step }) => {
      if (step !== 'first') return {};
      return { after: attempt === 1 ? first.promise : again.promise };
    };
    const ask: Ask = { action: 't/idempotent', run: newId(), second: 'at once' };
    assert.ok(await clients.note(ask, lost.node.accept(ask)));
    await until('it is sent', () => stub.log.length === 1);
    lost.proxy.shut();
    first.resolve();
    await until('the other node is at it', () => stub.log.length === 2);
    lost.proxy.open();
    await until('the outcome arrives', async () =>
      (await readCalls(target)).some(({ journal }) => journal.some(({ outcome }) => outcome === 'late')),
    );
    again.resolve();
    await allQuiet(target);
    const { late, adopted, calls, executed } = await check({ target, stub, clients });
    assert.deepEqual({ late, adopted, calls, executed }, { late: 1, adopted: 1, calls: 2, executed: 3 });
    assert.equal(lost.node.ended.length, 0);
  });

  it('drains in time', async (t) => {
    const { target, stub, clients, node: start } = await setScene(t, server);
    const { node, proxy } = await start(LEASE);
    const release = Promise.withResolvers<void>();
    stub.treat = () => ({ after: release.promise });
    const ask: Ask = { action: 't/never', run: newId() };
    assert.ok(await clients.note(ask, node.accept(ask)));
    await until('it is sent', () => stub.log.length === 1);
    proxy.shut();
    const drained = node.engine.drain(500);
    release.resolve();
    await drained;
    const [left] = await readCalls(target);
    assert.equal(left?.open?.state, 'running', 'its outcome is for the next one to find out');
  });
});

const PHASES: readonly Phase[] = ['asked', 'sent', 'answered'];

/** Disturbs one in so many exchanges, at a phase and in a way that chance decides. */
function trouble(
  chance: () => number,
  oneIn: number,
): { intercept: Intercept; counts: Record<string, number> } {
  const counts: Record<string, number> = {};
  const plans = new WeakMap<Exchange, { phase: Phase; how: number }>();
  return {
    counts,
    async intercept(exchange, phase) {
      if (phase === 'asked' && chance() < 1 / oneIn)
        plans.set(exchange, { phase: PHASES[Math.floor(chance() * 3)]!, how: chance() });
      const plan = plans.get(exchange);
      if (plan?.phase !== phase) return 'pass';
      const how = plan.how < 0.3 ? 'delay' : plan.how < 0.7 ? 'cut' : 'reset';
      const what = `${isJournalWrite(exchange) ? 'write' : 'other'} ${phase} ${how}`;
      counts[what] = (counts[what] ?? 0) + 1;
      if (how !== 'delay') return how;
      await pause(100);
      return 'pass';
    },
  };
}

describe('two nodes whose way to the database is bad', () => {
  it('lose nothing, end nothing twice, and repeat nothing that is recorded', async (t) => {
    const { target, stub, clients, node: start } = await setScene(t, server);
    const nodes = await Promise.all([start(LEASE), start(LEASE)]);
    const seed = Date.now() % 1_000_000;
    const chance = chanceOf(seed);
    const { intercept, counts: disturbances } = trouble(chance, 25);
    for (const { proxy } of nodes) proxy.intercept = intercept;
    const calling = new AbortController();
    const asking = Array.from({ length: 12 }, async (_, caller) => {
      while (!calling.signal.aborted) {
        const ask = anyAsk(chance);
        await clients.note(ask, nodes[caller % 2]!.node.accept(ask));
      }
    });
    await pause(6_000); // the length of the test
    calling.abort();
    await Promise.all(asking);
    for (const { proxy } of nodes) proxy.intercept = () => 'pass';
    await allQuiet(target);
    const counts = await check({ target, stub, clients });
    t.diagnostic(JSON.stringify({ seed, ...counts, disturbances }));
    assert.ok(counts.accepted > 50, 'much was accepted');
    assert.ok(Object.keys(disturbances).length > 10, 'and much went wrong');
  });
});
