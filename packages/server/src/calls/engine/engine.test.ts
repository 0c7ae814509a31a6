import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { openTestDatabase } from '../../../test/support/database.ts';
import { newId } from '../../platform/ids.ts';
import type { NewCall } from './call.ts';
import type { Ended } from './continuation.ts';
import type { EngineOptions } from './engine.ts';
import { aCall, eventually, innerScope, newTenant, rowsOf } from './engine.testing.ts';
import type { Outcome } from './outcome.ts';
import { LEASE, Outside, startNode } from './two-nodes.testing.ts';

const DONE: Outcome = { kind: 'succeeded', output: '"done"' };
const BUSY: Outcome = { kind: 'failed', error: { code: 'busy', message: 'Busy.', retry: 'transient' } };

async function start(test: TestContext, more: Partial<EngineOptions> = {}) {
  const t = innerScope(test);
  const database = await openTestDatabase(test);
  const tenant = await newTenant(database);
  const outside = new Outside();
  const ends: Ended[] = [];
  const node = await startNode(t, database.target, outside, 'one', {
    ...more,
    ended: (ended) => void ends.push(ended),
  });
  const rows = () => rowsOf(database);
  return {
    t,
    database,
    tenant,
    outside,
    ends,
    node,
    engine: node.engine,
    rows,
    call: (one: Partial<NewCall> = {}) => aCall(tenant, one),
    /** Reads until the call is in that state, or has ended in it. */
    until: async (id: string, state: string): Promise<void> => {
      const is = (row: { call_id: string; state: string }) => row.call_id === id && row.state === state;
      await eventually(async () => {
        const { unfinished, ended } = await rows();
        return [...unfinished, ...ended].some(is);
      });
    },
  };
}

describe('a call', () => {
  it('is on disk when it is accepted, starts at once, and ends once', async (t) => {
    const { engine, call, outside, until, rows, ends } = await start(t);
    const { id, result } = await engine.accept(call({ context: { for: 'it' } }));
    assert.deepEqual(result, { kind: 'accepted', state: 'running' });
    assert.equal((await rows()).unfinished[0]?.state, 'running');
    await outside.until(() => outside.of(id).length === 1);
    outside.of(id)[0]?.settle(DONE);
    await until(id, 'succeeded');
    const { unfinished, attempts } = await rows();
    assert.deepEqual([unfinished, attempts.length], [[], 1]);
    for (const told = () => ends.length; told() === 0;) await sleep(5);
    assert.deepEqual(
      ends.map(({ call: { details }, state, output }) => [details.context, state, output]),
      [[{ for: 'it' }, 'succeeded', '"done"']],
    );
  });

  it('is tried again after its pause, as often as its policy says', async (t) => {
    const { engine, call, outside, until, rows } = await start(t);
    const { id } = await engine.accept(call({ policy: { attempts: 3 } }));
    for (let attempt = 1; attempt <= 3; attempt++) {
      await outside.until(() => outside.of(id).length === attempt);
      outside.of(id)[attempt - 1]?.settle(BUSY);
    }
    await until(id, 'failed');
    const { attempts } = await rows();
    assert.deepEqual(
      attempts.map(({ attempt, outcome }) => [attempt, outcome]),
      [
        [1, 'failed'],
        [2, 'failed'],
        [3, 'failed'],
      ],
    );
  });

  it('of which two answers come at once goes on with one of them', async (t) => {
    const { engine, call, outside, until, rows, tenant } = await start(t);
    const { id } = await engine.accept(call());
    await outside.until(() => outside.of(id).length === 1);
    outside.of(id)[0]?.settle({ kind: 'waiting', forAtMost: 60_000 });
    await until(id, 'waiting');
    const answers = ['"a"', '"b"', '"a"'].map((output) =>
      engine.answer(tenant, id, 'waiting', { kind: 'succeeded', output }),
    );
    const won = await Promise.all(answers);
    assert.equal(won.filter(Boolean).length, 1, won.join());
    assert.equal((await rows()).ended.length, 1);
    assert.equal(await engine.answer(tenant, id, 'waiting', { kind: 'succeeded', output: '"late"' }), false);
  });

  it('that waits too long expires, and so does one that is past its deadline', async (t) => {
    const { engine, call, outside, until } = await start(t);
    const { id } = await engine.accept(call());
    await outside.until(() => outside.of(id).length === 1);
    outside.of(id)[0]?.settle({ kind: 'waiting', forAtMost: 30 });
    await until(id, 'expired');
    const late = await engine.accept(call({ delay: 60_000, deadline: 30 }));
    await until(late.id, 'expired');
    assert.equal(outside.of(late.id).length, 0);
  });

  it('is cancelled while it runs: its attempt is aborted, and what that brought is journalled', async (t) => {
    const { engine, call, outside, until, rows, tenant } = await start(t);
    const { id } = await engine.accept(call());
    await outside.until(() => outside.of(id).length === 1);
    assert.equal(await engine.cancel(tenant, id), 'cancelling');
    const [execution] = outside.of(id);
    assert.equal(execution?.signal.aborted, true);
    execution?.settle(DONE);
    await until(id, 'cancelled');
    assert.deepEqual(
      (await rows()).attempts.map(({ outcome }) => outcome),
      ['succeeded'],
    );
    assert.equal(await engine.cancel(tenant, id), undefined);
  });

  it('whose outcome the database refuses is held, and not lost', async (t) => {
    const { engine, call, outside, until, rows } = await start(t);
    for (const outcome of [
      { kind: 'succeeded', output: 'a\0b' },
      { kind: 'waiting', forAtMost: Number.NaN },
    ] as const) {
      const { id } = await engine.accept(call());
      await outside.until(() => outside.of(id).length === 1);
      outside.of(id)[0]?.settle(outcome);
      await until(id, 'held');
      const journal = (await rows()).attempts.filter(({ call_id }) => call_id === id);
      assert.deepEqual(
        journal.map((row) => row.outcome),
        ['unknown'],
      );
    }
  });
});

describe('what follows', () => {
  const inRun = (more: Partial<NewCall> = {}): Partial<NewCall> => ({ place: { run: newId() }, ...more });
  const follower = (tenant: string): NewCall => aCall(tenant, { context: 'follows' });

  it('is made in the commit of what it follows', async (t) => {
    const { engine, call, outside, tenant, ends, rows } = await start(t, {
      continuations: { callEnded: () => [follower(tenantOf())] },
    });
    const tenantOf = () => tenant;
    const { id } = await engine.accept(call(inRun()));
    await outside.until(() => outside.of(id).length === 1);
    outside.of(id)[0]?.settle(DONE);
    await outside.until(() => outside.executions.length === 2);
    for (const told = () => ends.length; told() === 0;) await sleep(5);
    assert.equal(ends.length, 1);
    assert.equal((await rows()).calls.length, 2);
  });

  it('is worked out again when it throws or rejects, and nobody waits for it', async (t) => {
    let tries = 0;
    const { engine, call, outside, tenant, until, rows } = await start(t, {
      continuations: {
        callEnded: () => {
          tries++;
          if (tries === 1) throw new Error('thrown');
          return tries === 2 ? Promise.reject(new Error('rejected')) : [follower(tenantOf())];
        },
      },
    });
    const tenantOf = () => tenant;
    const { id } = await engine.accept(call(inRun({ delay: 60_000 })));
    assert.equal(await engine.cancel(tenant, id), 'cancelled');
    assert.equal((await rows()).unfinished[0]?.state, 'continuing');
    await until(id, 'cancelled');
    await outside.until(() => outside.executions.length === 1);
    assert.equal(tries, 3);
  });

  it('does not keep a call that runs from being cancelled', async (t) => {
    const { engine, call, outside, tenant, until } = await start(t, {
      continuations: { callEnded: () => Promise.resolve([]) },
    });
    const { id } = await engine.accept(call(inRun()));
    await outside.until(() => outside.of(id).length === 1);
    await engine.cancel(tenant, id);
    outside.of(id)[0]?.settle(DONE);
    await until(id, 'cancelled');
  });

  it('and never works does not keep the node from its other work', async (t) => {
    const { engine, call, outside, until, database, tenant } = await start(t, {
      continuations: {
        callEnded: () => new Promise(() => {}),
        groupEnded: () => Promise.reject(new Error('never')),
      },
    });
    const stuck = await engine.accept(call(inRun({ delay: 60_000, deadline: 10 })));
    await until(stuck.id, 'continuing');
    const group = { id: newId(), details: '' };
    const member = await engine.accept(call({ group }));
    await outside.until(() => outside.of(member.id).length === 1);
    outside.of(member.id)[0]?.settle(DONE);
    await until(member.id, 'succeeded');
    await database.acrossTenants((tx) =>
      sql`update call_groups set emptied = clock_timestamp() - interval '1 hour'`.execute(tx),
    );
    const other = await engine.accept(aCall(tenant, { delay: 0 }));
    await outside.until(() => outside.of(other.id).length === 1);
  });

  it('joins once after the last of a group', async (t) => {
    const asked: string[] = [];
    const { engine, call, outside, tenant, rows } = await start(t, {
      continuations: {
        groupEnded: ({ details }) => {
          asked.push(details);
          return [follower(tenantOf())];
        },
      },
    });
    const tenantOf = () => tenant;
    const group = { id: newId(), details: 'then' };
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push((await engine.accept(call({ group }))).id);
    await outside.until(() => outside.executions.length === 5);
    for (const id of ids) outside.of(id)[0]?.settle(DONE);
    await outside.until(() => outside.executions.length === 6);
    assert.deepEqual(asked, ['then']);
    assert.deepEqual((await rows()).groups, []);
  });
});

describe('a commit nobody is told of', () => {
  it('of an accepted call: it starts, once', async (t) => {
    const { engine, call, outside, node, rows } = await start(t, { sweepEvery: 60_000 });
    node.wire.loseNextAnswer('commit_calls');
    const { id, result } = await engine.accept(call());
    assert.equal(result.kind, 'exists');
    await outside.until(() => outside.of(id).length === 1);
    assert.equal((await rows()).unfinished[0]?.epoch, 1);
    assert.equal(outside.executions.length, 1);
  });

  it('of an outcome and what follows: the outcome counts, what follows starts', async (t) => {
    const { engine, call, outside, node, tenant, rows, ends } = await start(t, {
      sweepEvery: 60_000,
      continuations: { callEnded: () => [aCall(tenantOf())] },
    });
    const tenantOf = () => tenant;
    const { id } = await engine.accept(call({ place: { run: newId() } }));
    await outside.until(() => outside.of(id).length === 1);
    node.wire.loseNextAnswer('commit_calls');
    outside.of(id)[0]?.settle(DONE);
    await outside.until(() => outside.executions.length === 2);
    const { calls, ended, attempts } = await rows();
    assert.deepEqual(
      [calls.length, ended.length, attempts.map(({ outcome }) => outcome)],
      [2, 1, ['succeeded']],
    );
    for (const told = () => ends.length; told() === 0;) await sleep(5);
    assert.equal(ends.length, 1);
  });
});

describe('a node', () => {
  it('takes over what it owns and nobody works on', async (t) => {
    const { engine, call, outside, database, rows } = await start(t);
    const { id } = await engine.accept(call({ delay: 60_000 }));
    // As if the commit of a claim had been lost on its way back.
    await database.acrossTenants((tx) =>
      sql`update unfinished_calls set state = 'running', attempt = 1, epoch = epoch + 1, ready = false, due = null,
            node_id = (select max(node_id) from nodes)`.execute(tx),
    );
    await outside.until(() => outside.of(id).length === 1);
    assert.equal(outside.of(id)[0]?.attempt, 2);
    assert.deepEqual(
      (await rows()).attempts.map(({ outcome }) => outcome),
      ['unknown'],
    );
  });

  it('aborts an attempt of a call it has lost, whose outcome is journalled as late', async (t) => {
    const { engine, call, outside, database, rows } = await start(t);
    const { id } = await engine.accept(call());
    await outside.until(() => outside.of(id).length === 1);
    await database.acrossTenants((tx) =>
      sql`update unfinished_calls set state = 'queued', epoch = epoch + 1, node_id = null, ready = true`.execute(
        tx,
      ),
    );
    const [lost] = outside.of(id);
    const aborted = Promise.withResolvers<void>();
    if (lost?.signal.aborted) aborted.resolve();
    lost?.signal.addEventListener('abort', () => aborted.resolve());
    await outside.until(() => outside.of(id).length === 2);
    await Promise.race([aborted.promise, sleep(10 * LEASE)]);
    assert.equal(lost?.signal.aborted, true);
    lost?.settle(DONE);
    await eventually(async () => (await rows()).attempts.length > 0);
    assert.deepEqual(
      (await rows()).attempts.map(({ outcome, epoch }) => [outcome, epoch]),
      [['late', 1]],
    );
    assert.equal((await rows()).unfinished[0]?.state, 'running');
  });
});
