import assert from 'node:assert/strict';
import { after, describe, it, type TestContext } from 'node:test';
import { newId } from '../../src/platform/ids.ts';
import { check } from './checker.ts';
import type { Ask } from './node.ts';
import { startOwnServer } from './postgres.ts';
import { isJournalWrite, type Verdict } from './proxy.ts';
import { allQuiet, readCalls } from './records.ts';
import { setScene, type Scene } from './scene.ts';
import { until } from './until.ts';

const server = await startOwnServer({ after });

/** Milliseconds. */
const LEASE = 2_000;

/** Promise 6: leases carry a fencing number; a woken zombie cannot write. */
describe('a process that was stopped beyond its lease', { concurrency: true }, () => {
  it('finds the answer of its target, and that it counts no more', async (t) => {
    const scene = await setScene(t, server);
    const { clients, stub, target } = scene;
    const [zombie] = await Promise.all([scene.process(LEASE), scene.process(LEASE)]);
    const release = Promise.withResolvers<void>();
    stub.treat = ({ attempt, step }) => (attempt === 1 && step === 'first' ? { after: release.promise } : {});
    const ask: Ask = { action: 't/idempotent', run: newId(), second: 'at once' };
    assert.ok(await clients.ask(zombie.node.address, ask));
    await until('it is sent', () => stub.log.length === 1);
    zombie.node.pause();
    release.resolve();
    await allQuiet(target);
    await wake(t, scene, () => zombie.node.resume());
  });

  it('has its write stopped on the way, and finds that it changes nothing', async (t) => {
    const scene = await setScene(t, server);
    const { clients, target } = scene;
    const [zombie] = await Promise.all([scene.process(LEASE), scene.process(LEASE)]);
    const ask: Ask = { action: 't/idempotent', run: newId(), second: 'at once' };
    const [stopped, resumed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let writes = 0;
    zombie.proxy.intercept = async (exchange, phase): Promise<Verdict> => {
      const ours = isJournalWrite(exchange) && exchange.mentions(ask.run) && phase === 'asked';
      if (!ours || ++writes !== 2) return 'pass';
      zombie.node.pause();
      stopped.resolve();
      await resumed.promise;
      return 'pass';
    };
    assert.ok(await clients.ask(zombie.node.address, ask));
    await stopped.promise;
    await allQuiet(target);
    await wake(t, scene, () => {
      resumed.resolve();
      zombie.node.resume();
    });
  });

  it('leaves a call that must not be repeated to a person, with its late outcome beside it', async (t) => {
    const scene = await setScene(t, server);
    const { clients, stub, target } = scene;
    const [zombie] = await Promise.all([scene.process(LEASE), scene.process(LEASE)]);
    const release = Promise.withResolvers<void>();
    stub.treat = () => ({ after: release.promise });
    assert.ok(await clients.ask(zombie.node.address, { action: 't/never', run: newId() }));
    await until('it is sent', () => stub.log.length === 1);
    zombie.node.pause();
    release.resolve();
    await until('it is held', async () => (await readCalls(target))[0]?.open?.state === 'held');
    zombie.node.resume();
    await until('its outcome arrives', async () => (await lateOf(scene)) === 1);
    const { executed, held, late } = await check(scene);
    assert.deepEqual({ executed, held, late }, { executed: 1, held: 1, late: 1 });
  });
});

async function lateOf({ target }: Scene): Promise<number> {
  const journal = (await readCalls(target)).flatMap((call) => call.journal);
  return journal.filter(({ outcome }) => outcome === 'late').length;
}

/** Lets the zombie go on after the other node finished its run. */
async function wake(t: TestContext, scene: Scene, resume: () => void): Promise<void> {
  const ends = async () => (await readCalls(scene.target)).map(({ id, end }) => ({ id, end }));
  const finished = await ends();
  resume();
  await until('its outcome arrives', async () => (await lateOf(scene)) === 1);
  assert.deepEqual(await ends(), finished, 'nothing but the journal changed');
  const counts = await check(scene);
  t.diagnostic(JSON.stringify(counts));
  const { calls, executed, adopted, late } = counts;
  assert.deepEqual({ calls, executed, adopted, late }, { calls: 2, executed: 3, adopted: 1, late: 1 });
}
