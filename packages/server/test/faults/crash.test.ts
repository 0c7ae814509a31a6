import assert from 'node:assert/strict';
import { after, describe, it, type TestContext } from 'node:test';
import { newId } from '../../src/platform/ids.ts';
import { check, type Counts } from './checker.ts';
import { TENANT, type Ask, type Node } from './node.ts';
import { startOwnServer } from './postgres.ts';
import { isJournalWrite, type Phase } from './proxy.ts';
import { allQuiet, readCalls } from './records.ts';
import { setScene, type Scene } from './scene.ts';
import { until } from './until.ts';

const server = await startOwnServer({ after });

/** Milliseconds. */
const LEASE = 2_000;

interface Crash {
  readonly ask: Omit<Ask, 'run'>;
  /** The journal write of the run around which the process ends. */
  readonly nth: number;
  readonly phase: Phase;
}

/** A process takes the call and dies around one of its writes; another node is there to go on. */
async function crash(
  t: TestContext,
  { ask: rest, nth, phase }: Crash,
): Promise<Scene & { survivor: Node; accepted: boolean; left: string | undefined }> {
  const scene = await setScene(t, server);
  const [{ node: survivor }, { node, proxy }] = await Promise.all([scene.node(LEASE), scene.process(LEASE)]);
  const ask: Ask = { ...rest, run: newId() };
  let died = false;
  let left: string | undefined;
  let writes = 0;
  proxy.intercept = async (exchange, at) => {
    if (!isJournalWrite(exchange) || !exchange.mentions(ask.run)) return 'pass';
    if (at === 'asked') writes++;
    if (writes !== nth || at !== phase) return 'pass';
    left = (await readCalls(scene.target)).find(({ open }) => open)?.open?.state;
    await node.kill();
    died = true;
    return 'cut';
  };
  const id = await scene.clients.ask(node.address, ask);
  await until('it dies', () => died);
  await allQuiet(scene.target);
  return { ...scene, survivor, accepted: id !== undefined, left };
}

/** What another node finds of a run of two steps, and so how much of it is made again. */
const RUNS = [
  { second: 'at once', writes: ['the accept', "the first's outcome and the second", "the second's outcome"] },
  {
    second: 'later',
    writes: ['the accept', "the first's outcome", "the first's end and the second", "the second's outcome"],
  },
] as const;

describe('a process that ends around a journal write', { concurrency: 7 }, () => {
  for (const { second, writes } of RUNS)
    for (const [index, write] of writes.entries())
      for (const phase of ['asked', 'answered'] as const)
        it(`${phase === 'asked' ? 'before' : 'after'} ${write}, second step ${second}`, async (t) => {
          const scene = await crash(t, { ask: { action: 't/idempotent', second }, nth: index + 1, phase });
          const counts = await check(scene);
          assert.equal(scene.accepted, index > 0);
          assert.equal(counts.calls, index === 0 && phase === 'asked' ? 0 : 2);
          assert.equal(counts.held, 0);
          assert.equal(counts.adopted, scene.left === 'running' ? 1 : 0, 'an attempt under way is adopted');
        });
});

/** The process dies with the outcome in hand: done, and nobody knows. */
describe('an attempt that died with its node', { concurrency: 7 }, () => {
  const dead = (t: TestContext, action: Ask['action']) =>
    crash(t, { ask: { action }, nth: 2, phase: 'asked' });
  const story = ({ executed, unknown, held, adopted }: Counts) => ({ executed, unknown, held, adopted });

  it('is made again when doing it twice is doing it once', async (t) => {
    const scene = await dead(t, 't/idempotent');
    assert.deepEqual(story(await check(scene)), { executed: 2, unknown: 1, held: 0, adopted: 1 });
  });

  it('is made again with the same key when the target recognises it', async (t) => {
    const scene = await dead(t, 't/keyed');
    assert.deepEqual(story(await check(scene)), { executed: 2, unknown: 1, held: 0, adopted: 1 });
    assert.deepEqual(
      scene.stub.log.map(({ repeated }) => repeated),
      [false, true],
    );
  });

  it('is asked about when the target can tell', async (t) => {
    const scene = await dead(t, 't/probed');
    assert.deepEqual(story(await check(scene)), { executed: 1, unknown: 1, held: 0, adopted: 1 });
    assert.equal(scene.stub.probes, 1);
  });

  it('is held for a person otherwise, who may send it again', async (t) => {
    const scene = await dead(t, 't/never');
    assert.deepEqual(story(await check(scene)), { executed: 1, unknown: 1, held: 1, adopted: 1 });
    const [held] = await readCalls(scene.target);
    assert.ok(await scene.survivor.engine.answer(TENANT, held!.id, 'held', { kind: 'retry' }));
    await allQuiet(scene.target);
    const counts = await check({ ...scene, sentAgain: new Set([held!.id]) });
    assert.deepEqual(story(counts), { executed: 2, unknown: 1, held: 0, adopted: 1 });
  });
});
