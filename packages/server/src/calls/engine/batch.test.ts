import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { sql } from 'kysely';
import { openTestDatabase } from '../../../test/support/database.ts';
import type { Database } from '../../platform/database/index.ts';
import { query } from '../../platform/database/query.testing.ts';
import { newId } from '../../platform/ids.ts';
import type { Accept, JournalEntry, Move } from './batch.ts';
import type { JobMode, NewCall, OwnedCall } from './call.ts';
import { aCall, anAccept, asOwned, innerScope, newTenant, openBatches, rowsOf } from './engine.testing.ts';

async function start(scope: TestContext) {
  const t = innerScope(scope);
  const database = await openTestDatabase(scope);
  const tenant = await newTenant(database);
  const batches = await openBatches(t, database);
  const call = (more: Partial<NewCall> = {}): NewCall => aCall(tenant, more);
  /** An owned call, in its first attempt. */
  const running = async (more: Partial<NewCall> = {}) => {
    const accept = anAccept(call(more), { owned: true });
    const [written] = await batches.commit({ accepts: [accept] });
    assert.deepEqual(written?.accepted, [{ kind: 'accepted', state: 'running' }]);
    return asOwned(accept);
  };
  return { t, database, tenant, batches, call, running, rows: () => rowsOf(database) };
}

const entry = (more: Partial<JournalEntry> = {}): JournalEntry => ({
  outcome: 'succeeded',
  started: Date.UTC(2026, 0, 1),
  ended: Date.UTC(2026, 0, 1) + 5,
  output: '"it"',
  ...more,
});

const move = (call: OwnedCall, to: Move['to'], more: Partial<Move> = {}): Move => ({
  call,
  to,
  attempt: entry(),
  ...more,
});

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const execute = (database: Database, text: string) =>
  database.acrossTenants((tx) => sql.raw(text).execute(tx));

describe('accepting', () => {
  it('owned: running under this node, in its first attempt', async (t) => {
    const { batches, call, rows } = await start(t);
    const accept = anAccept(call(), { owned: true });
    const [written] = await batches.commit({ accepts: [accept] });
    assert.deepEqual(written, {
      moved: undefined,
      accepted: [{ kind: 'accepted', state: 'running' }],
      emptied: undefined,
    });
    const { unfinished, audited } = await rows();
    assert.deepEqual(unfinished, [
      {
        call_id: accept.id,
        state: 'running',
        epoch: 1,
        attempt: 1,
        node_id: batches.node,
        ready: false,
        reason: null,
      },
    ]);
    assert.deepEqual(audited, [], 'the hub itself made it');
  });

  it('not owned: queued and ready, or waiting for its time by the clock of the database', async (t) => {
    const { batches, call, rows, database } = await start(t);
    const accepts = [anAccept(call()), anAccept(call({ delay: 60_000, deadline: 120_000 }))];
    const [written] = await batches.commit({ accepts });
    assert.deepEqual(
      written?.accepted,
      accepts.map(() => ({ kind: 'accepted', state: 'queued' })),
    );
    const { unfinished } = await rows();
    const byId = new Map(unfinished.map((row) => [row.call_id, row]));
    assert.deepEqual(
      accepts.map(({ id }) => [byId.get(id)?.ready, byId.get(id)?.attempt, byId.get(id)?.node_id]),
      [
        [true, 0, null],
        [false, 0, null],
      ],
    );
    const { rows: times } = await database.acrossTenants((tx) =>
      sql<{ due: number; deadline: number; same: boolean }>`
        select extract(epoch from u.due - clock_timestamp())::float8 as due,
               extract(epoch from u.deadline - clock_timestamp())::float8 as deadline,
               abs(extract(epoch from c.deadline - u.deadline)) < 1 as same
        from unfinished_calls u join calls c using (call_id) where u.call_id = ${accepts[1]!.id}`.execute(tx),
    );
    const [time] = times;
    assert.ok(
      time && time.due > 50 && time.due <= 60 && time.deadline > 110 && time.deadline <= 120 && time.same,
    );
  });

  it('twice is once, and the second answer says so', async (t) => {
    const { batches, call, rows } = await start(t);
    const accept = anAccept(call({ asked: { request: 'r' }, group: { id: newId(), details: 'd' } }), {
      owned: true,
    });
    await batches.commit({ accepts: [accept] });
    const before = await rows();
    const [again] = await batches.commit({ accepts: [accept] });
    assert.deepEqual(again?.accepted, [{ kind: 'exists' }]);
    assert.deepEqual(await rows(), before);
    assert.equal(before.groups[0]?.pending, 1);
  });

  it('does not bring back a call that has ended', async (t) => {
    const { batches, call, rows } = await start(t);
    const accept = anAccept(call(), { owned: true });
    await batches.commit({ accepts: [accept] });
    await batches.commit({ move: move(asOwned(accept), 'succeeded') });
    const [again] = await batches.commit({ accepts: [accept] });
    assert.deepEqual(again?.accepted, [{ kind: 'exists' }]);
    assert.deepEqual((await rows()).unfinished, []);
  });

  it('by a node whose lease has run out owns nothing', async (t) => {
    const { batches, call, rows, database } = await start(t);
    await execute(database, `update nodes set lease_until = clock_timestamp() - interval '1 millisecond'`);
    const accept = anAccept(call(), { owned: true });
    const [written] = await batches.commit({ accepts: [accept] });
    assert.deepEqual(written?.accepted, [{ kind: 'accepted', state: 'queued' }]);
    const [row] = (await rows()).unfinished;
    assert.deepEqual([row?.state, row?.ready, row?.node_id, row?.attempt], ['queued', true, null, 0]);
  });

  it('is audited once when somebody asked', async (t) => {
    const { batches, call, rows } = await start(t);
    const asked = anAccept(call({ principal: newId(), asked: { request: 'r', address: '::1' } }));
    await batches.commit({ accepts: [asked, anAccept(call())] });
    await batches.commit({ accepts: [asked] });
    assert.deepEqual((await rows()).audited, [{ target: asked.id }]);
  });

  it('keeps tenants apart that share a batch', async (t) => {
    const { batches, call, database } = await start(t);
    const other = await newTenant(database);
    await batches.commit({ accepts: [anAccept(call())] }, { accepts: [anAccept(aCall(other))] });
    const seen = await database.asTenant(other, (tx) => sql`select from unfinished_calls`.execute(tx));
    assert.equal(seen.rows.length, 1);
  });
});

describe('moving', () => {
  it('to an end takes the unfinished row, and leaves the journal and the history', async (t) => {
    for (const to of ['succeeded', 'failed', 'expired', 'cancelled'] as const) {
      const { batches, running, rows } = await start(t);
      const call = await running();
      const [written] = await batches.commit({ move: move(call, to, { reason: 'why' }) });
      assert.equal(written?.moved, to);
      const { unfinished, ended, attempts } = await rows();
      assert.deepEqual(unfinished, []);
      assert.deepEqual(ended, [
        { call_id: call.id, state: to, reason: 'why', attempts: 1, action: 'test/idempotent' },
      ]);
      assert.deepEqual(attempts, [{ call_id: call.id, attempt: 1, epoch: 1, outcome: 'succeeded' }]);
    }
  });

  it('to anything else raises the epoch; only `continuing` stays with a node', async (t) => {
    const { batches, running, rows } = await start(t);
    for (const to of ['queued', 'waiting', 'held', 'continuing'] as const) {
      const call = await running();
      await batches.commit({ move: move(call, to, { delay: 1_000 }) });
      const row = (await rows()).unfinished.find(({ call_id }) => call_id === call.id);
      const node = to === 'continuing' ? batches.node : null;
      assert.deepEqual([row?.state, row?.epoch, row?.node_id, row?.ready], [to, 2, node, false]);
    }
  });

  it('to `continuing` from a wait makes the moving node its owner, so that others can adopt it', async (t) => {
    const { batches, running, rows } = await start(t);
    const call = await running();
    await batches.commit({ move: move(call, 'waiting') });
    await batches.commit({ move: { call: { ...call, epoch: 2 }, to: 'continuing', reason: 'expired' } });
    assert.equal((await rows()).unfinished[0]?.node_id, batches.node);
  });

  it('to queued is ready at once without a delay, later with one', async (t) => {
    const { batches, running, rows } = await start(t);
    const [now, later] = [await running(), await running()];
    await batches.commit({ move: move(now, 'queued') }, { move: move(later, 'queued', { delay: 0 }) });
    const { unfinished } = await rows();
    assert.equal(unfinished.find(({ call_id }) => call_id === now.id)?.ready, true);
    assert.equal(unfinished.find(({ call_id }) => call_id === later.id)?.ready, false);
  });

  it('with an epoch that is over changes nothing: no journal, no end, none of what follows', async (t) => {
    const { batches, running, call, rows } = await start(t);
    const stale = await running();
    await batches.commit({ move: move(stale, 'queued') });
    const before = await rows();
    const key = newId();
    await batches.commit({ accepts: [anAccept(call({ delay: 60_000, job: { key, mode: 'enqueue' } }))] });
    const scheduled = await rows();
    for (const to of ['succeeded', 'queued', 'held', 'continuing', 'cancelled'] as const) {
      const followers = [
        anAccept(call({ group: { id: newId(), details: '' } }), { owned: true }),
        anAccept(call({ job: { key, mode: 'replace' } })),
        anAccept(call({ principal: newId(), once: { key: digest('k'), body: digest('b'), life: 60_000 } })),
        anAccept(call({ asked: { request: 'r' } })),
      ];
      const [written] = await batches.commit({ move: move(stale, to), accepts: followers });
      assert.equal(written?.moved, undefined);
      assert.deepEqual(
        written?.accepted,
        followers.map(() => ({ kind: 'orphan' })),
      );
    }
    assert.deepEqual(await rows(), scheduled);
    assert.deepEqual(scheduled.attempts, before.attempts);
  });

  it('with what follows is one commit, and twice is once', async (t) => {
    const { batches, running, call, rows } = await start(t);
    const parent = await running();
    const child = anAccept(call(), { owned: true });
    const op = { move: move(parent, 'succeeded'), accepts: [child] };
    const [first] = await batches.commit(op);
    assert.deepEqual(first?.accepted, [{ kind: 'accepted', state: 'running' }]);
    const before = await rows();
    const [again] = await batches.commit(op);
    assert.deepEqual(again, { moved: undefined, accepted: [{ kind: 'orphan' }], emptied: undefined });
    assert.deepEqual(await rows(), before);
  });

  it('a call that shall be cancelled goes nowhere else', async (t) => {
    const { batches, running, rows, database } = await start(t);
    const call = await running();
    await execute(database, `update unfinished_calls set state = 'cancelling'`);
    for (const to of ['succeeded', 'failed', 'expired', 'queued', 'waiting', 'held', 'continuing'] as const) {
      const [written] = await batches.commit({ move: move(call, to, { reason: 'succeeded' }) });
      assert.equal(written?.moved, undefined, to);
    }
    assert.deepEqual((await rows()).attempts, []);
    const [written] = await batches.commit({
      move: move(call, 'cancelled', { attempt: entry({ outcome: 'failed' }) }),
    });
    assert.equal(written?.moved, 'cancelled');
    const { attempts, ended } = await rows();
    assert.deepEqual([attempts[0]?.outcome, ended[0]?.state], ['failed', 'cancelled']);
  });

  it('or to `continuing` on its way there', async (t) => {
    const { batches, running, rows, database } = await start(t);
    const call = await running();
    await execute(database, `update unfinished_calls set state = 'cancelling'`);
    await batches.commit({ move: move(call, 'continuing', { reason: 'cancelled' }) });
    await batches.commit({ move: { call: { ...call, epoch: 2 }, to: 'cancelled' } });
    assert.deepEqual(
      (await rows()).ended.map(({ state }) => state),
      ['cancelled'],
    );
  });

  it('many calls in one batch, some of which hold', async (t) => {
    const { batches, running, rows } = await start(t);
    const calls: OwnedCall[] = [];
    for (let n = 0; n < 20; n++) calls.push(await running());
    const ops = calls.map((call, n) => ({
      move: move({ ...call, epoch: n % 3 === 0 ? 7 : 1 }, 'succeeded'),
    }));
    const written = await batches.commit(...ops);
    assert.deepEqual(
      written.map(({ moved }) => moved),
      calls.map((_, n) => (n % 3 === 0 ? undefined : 'succeeded')),
    );
    const { ended, attempts, unfinished } = await rows();
    assert.deepEqual([ended.length, attempts.length, unfinished.length], [13, 13, 7]);
  });
});

describe('idempotency keys', () => {
  const principal = newId();
  const keyed = (call: NewCall, key: string, body = 'b', life = 60_000): Accept =>
    anAccept({
      ...call,
      principal,
      asked: { request: 'r' },
      once: { key: digest(key), body: digest(body), life },
    });

  it('twice in one batch: the first is made, the second joins it and leaves no trace', async (t) => {
    const { batches, call, rows } = await start(t);
    const [one, two, three] = [keyed(call(), 'k'), keyed(call(), 'k'), keyed(call(), 'k', 'other')];
    const written = await batches.commit({ accepts: [one] }, { accepts: [two] }, { accepts: [three] });
    assert.deepEqual(
      written.map(({ accepted }) => accepted[0]),
      [
        { kind: 'accepted', state: 'queued' },
        { kind: 'joined', other: one.id, same: true },
        { kind: 'joined', other: one.id, same: false },
      ],
    );
    const { calls, unfinished, keys, audited } = await rows();
    assert.deepEqual([calls.length, unfinished.length, keys.length, audited.length], [1, 1, 1, 1]);
  });

  it('in a later batch joins the first, also after its end; sending the first again is itself', async (t) => {
    const { batches, call, rows } = await start(t);
    const [one, two] = [keyed(call(), 'k'), keyed(call(), 'k')];
    await batches.commit({ accepts: [one] });
    await batches.commit({ move: { call: asOwned(one), to: 'cancelled' } });
    const before = await rows();
    const [joined] = await batches.commit({ accepts: [two] });
    const [same] = await batches.commit({ accepts: [one] });
    assert.deepEqual(joined?.accepted, [{ kind: 'joined', other: one.id, same: true }]);
    assert.deepEqual(same?.accepted, [{ kind: 'exists' }]);
    assert.deepEqual(await rows(), before);
  });

  it('belong to a principal of a tenant', async (t) => {
    const { batches, call, database, rows } = await start(t);
    const other = await newTenant(database);
    const one = keyed(call(), 'k');
    const two = keyed(aCall(other), 'k');
    const three = { ...keyed(call(), 'k') };
    const theirs: Accept = { ...three, call: { ...three.call, principal: newId() } };
    await batches.commit({ accepts: [one] }, { accepts: [two] }, { accepts: [theirs] });
    assert.equal((await rows()).calls.length, 3);
  });

  it('are free again when their life is over', async (t) => {
    const { batches, call, rows } = await start(t);
    const [one, two] = [keyed(call(), 'k', 'b', -1), keyed(call(), 'k', 'c')];
    await batches.commit({ accepts: [one] });
    const [written] = await batches.commit({ accepts: [two] });
    assert.equal(written?.accepted[0]?.kind, 'accepted');
    assert.deepEqual((await rows()).keys, [{ call_id: two.id }]);
  });

  it('of a transaction under way: the loser waits for it, and sees the winner', async (t) => {
    const { t: scope, batches, call, database, rows } = await start(t);
    const rival = await openBatches(scope, database);
    const [one, two] = [keyed(call(), 'k'), keyed(call(), 'k', 'other')];
    await batches.client.query('begin');
    await batches.commit({ accepts: [one] });
    const losing = rival.commit({ accepts: [two] });
    await untilWaiting(database, losing);
    await batches.client.query('commit');
    assert.deepEqual((await losing)[0]?.accepted, [{ kind: 'joined', other: one.id, same: false }]);
    assert.equal((await rows()).calls.length, 1);
  });

  it('of a transaction that is undone go to the one that waited', async (t) => {
    const { t: scope, batches, call, database, rows } = await start(t);
    const rival = await openBatches(scope, database);
    const [one, two] = [keyed(call(), 'k'), keyed(call(), 'k')];
    await batches.client.query('begin');
    await batches.commit({ accepts: [one] });
    const waiting = rival.commit({ accepts: [two] });
    await untilWaiting(database, waiting);
    await batches.client.query('rollback');
    assert.equal((await waiting)[0]?.accepted[0]?.kind, 'accepted');
    assert.deepEqual((await rows()).keys, [{ call_id: two.id }]);
  });

  it('of a job that joins another lead to that other', async (t) => {
    const { batches, call, rows } = await start(t);
    const job = { key: newId(), mode: 'if_not_scheduled' as const };
    const one = anAccept(call({ job }));
    const two = keyed(call({ job }), 'k');
    await batches.commit({ accepts: [one] });
    const [joined] = await batches.commit({ accepts: [two] });
    assert.deepEqual(joined?.accepted, [{ kind: 'joined', other: one.id, same: true }]);
    const [again] = await batches.commit({ accepts: [keyed(call({ job }), 'k')] });
    assert.deepEqual(again?.accepted, [{ kind: 'joined', other: one.id, same: true }]);
    assert.deepEqual((await rows()).keys, [{ call_id: one.id }]);
  });
});

/** Waits until a transaction of the test stands behind another, or is through all the same. */
async function untilWaiting(database: Database, batch: Promise<unknown>): Promise<void> {
  let through = false;
  batch.finally(() => (through = true)).catch(() => {});
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  for (const over = () => through; !over() && (await query(database.target, waiting)).length === 0;);
}

describe('jobs by key', () => {
  const job = (call: NewCall, key: string, mode: JobMode, more: Partial<NewCall> = {}): Accept =>
    anAccept({ ...call, ...more, job: { key, mode } });

  it('enqueue: each is made, none is owned at once', async (t) => {
    const { batches, call, rows } = await start(t);
    const key = newId();
    const accepts = [job(call(), key, 'enqueue'), { ...job(call(), key, 'enqueue'), owned: true }];
    const [written] = await batches.commit({ accepts });
    assert.deepEqual(
      written?.accepted,
      accepts.map(() => ({ kind: 'accepted', state: 'queued' })),
    );
    assert.equal((await rows()).unfinished.length, 2);
  });

  for (const across of [false, true])
    it(`replace, ${across ? 'across batches' : 'in one batch'}: only the last is left, the others are cancelled once each`, async (t) => {
      const { batches, call, rows } = await start(t);
      const key = newId();
      const group = { id: newId(), details: 'd' };
      const accepts = Array.from({ length: 4 }, () => job(call(), key, 'replace', { group, delay: 1_000 }));
      if (across) for (const accept of accepts) await batches.commit({ accepts: [accept] });
      else await batches.commit(...accepts.map((accept) => ({ accepts: [accept] })));
      const { calls, unfinished, ended, groups } = await rows();
      assert.equal(calls.length, 4);
      assert.deepEqual(
        unfinished.map(({ call_id }) => call_id),
        [accepts[3]!.id],
      );
      assert.deepEqual(
        ended.map((row) => [row.call_id, row.state, row.reason]),
        accepts
          .slice(0, 3)
          .map(({ id }) => id)
          .toSorted()
          .map((id) => [id, 'cancelled', 'replaced']),
      );
      assert.equal(groups[0]?.pending, 1);
    });

  it('replace leaves what runs, and what belongs to other keys', async (t) => {
    const { batches, call, rows, database } = await start(t);
    const key = newId();
    const [runs, other, next] = [
      job(call(), key, 'enqueue'),
      job(call(), newId(), 'enqueue'),
      job(call(), key, 'replace'),
    ];
    await batches.commit({ accepts: [runs] }, { accepts: [other] });
    await execute(
      database,
      `update unfinished_calls set state = 'running', ready = false where call_id = '${runs.id}'`,
    );
    await batches.commit({ accepts: [next] });
    assert.equal((await rows()).unfinished.length, 3);
  });

  it('replace sent again replaces nothing that came after', async (t) => {
    const { batches, call, rows } = await start(t);
    const key = newId();
    const [one, two] = [job(call(), key, 'replace'), job(call(), key, 'replace')];
    await batches.commit({ accepts: [one] });
    await batches.commit({ accepts: [two] });
    const before = await rows();
    const [again] = await batches.commit({ accepts: [one] });
    assert.deepEqual(again?.accepted, [{ kind: 'exists' }]);
    assert.deepEqual(await rows(), before);
  });

  for (const mode of ['if_not_scheduled', 'if_not_running'] as const)
    for (const across of [false, true])
      it(`${mode}, ${across ? 'across batches' : 'in one batch'}: the first is made, the others join it`, async (t) => {
        const { batches, call, rows } = await start(t);
        const key = newId();
        const accepts = Array.from({ length: 3 }, () => job(call(), key, mode));
        const written = across
          ? [
              ...(await batches.commit({ accepts: [accepts[0]!] })),
              ...(await batches.commit({ accepts: accepts.slice(1) })),
            ]
          : await batches.commit({ accepts });
        assert.deepEqual(
          written.flatMap(({ accepted }) => accepted),
          [
            { kind: 'accepted', state: 'queued' },
            { kind: 'joined', other: accepts[0]!.id, same: true },
            { kind: 'joined', other: accepts[0]!.id, same: true },
          ],
        );
        assert.equal((await rows()).calls.length, 1);
      });

  it('if_not_scheduled makes another beside one that runs; if_not_running does not', async (t) => {
    const { batches, call, database } = await start(t);
    const key = newId();
    const runs = job(call(), key, 'enqueue');
    await batches.commit({ accepts: [runs] });
    await execute(database, `update unfinished_calls set state = 'running', ready = false`);
    const [joined] = await batches.commit({ accepts: [job(call(), key, 'if_not_running')] });
    assert.deepEqual(joined?.accepted, [{ kind: 'joined', other: runs.id, same: true }]);
    const [made] = await batches.commit({ accepts: [job(call(), key, 'if_not_scheduled')] });
    assert.equal(made?.accepted[0]?.kind, 'accepted');
  });

  it('of two nodes at once wait for one another', async (t) => {
    const { t: scope, batches, call, database, rows } = await start(t);
    const rival = await openBatches(scope, database);
    const key = newId();
    const [one, two] = [job(call(), key, 'if_not_running'), job(call(), key, 'if_not_running')];
    await batches.client.query('begin');
    await batches.commit({ accepts: [one] });
    const waiting = rival.commit({ accepts: [two] });
    await untilWaiting(database, waiting);
    await batches.client.query('commit');
    assert.deepEqual((await waiting)[0]?.accepted, [{ kind: 'joined', other: one.id, same: true }]);
    assert.equal((await rows()).calls.length, 1);
  });

  it('mix with other calls in one batch, each with its own answer', async (t) => {
    const { batches, call, running } = await start(t);
    const parent = await running();
    const key = newId();
    const [plain, first, second] = [
      anAccept(call(), { owned: true }),
      job(call(), key, 'if_not_scheduled'),
      job(call(), key, 'replace'),
    ];
    const written = await batches.commit(
      { accepts: [plain] },
      { move: move(parent, 'succeeded'), accepts: [first] },
      { accepts: [second] },
    );
    assert.deepEqual(
      written.flatMap(({ accepted }) => accepted),
      [
        { kind: 'accepted', state: 'running' },
        { kind: 'accepted', state: 'queued' },
        { kind: 'accepted', state: 'queued' },
      ],
    );
  });
});

describe('groups', () => {
  it('tell once that their last call has ended, whatever the batches', async (t) => {
    const { batches, running, rows } = await start(t);
    const group = { id: newId(), details: 'what next' };
    const calls = [];
    for (let n = 0; n < 5; n++) calls.push(await running({ group }));
    assert.deepEqual((await rows()).groups, [{ group_id: group.id, pending: 5, emptied: false }]);
    const ends = calls.map((call) => ({ move: move(call, 'succeeded') }));
    const written = [
      ...(await batches.commit(ends[0]!, ends[1]!)),
      ...(await batches.commit(ends[2]!)),
      ...(await batches.commit(ends[3]!, ends[4]!)),
      ...(await batches.commit(ends[4]!)),
    ];
    assert.deepEqual(
      written.map(({ emptied }) => emptied).filter((id) => id !== undefined),
      [group.id],
    );
    assert.deepEqual((await rows()).groups, [{ group_id: group.id, pending: 0, emptied: true }]);
  });

  it('are counted right by two nodes that end the last two calls at once', async (t) => {
    const { t: scope, batches, running, database, rows } = await start(t);
    const rival = await openBatches(scope, database);
    const group = { id: newId(), details: '' };
    const [one, two] = [await running({ group }), await running({ group })];
    await batches.client.query('begin');
    const [first] = await batches.commit({ move: move(one, 'succeeded') });
    const ending = rival.commit({ move: move(two, 'succeeded') });
    await untilWaiting(database, ending);
    await batches.client.query('commit');
    const [second] = await ending;
    assert.deepEqual([first?.emptied, second?.emptied], [undefined, group.id]);
    assert.deepEqual((await rows()).groups, [{ group_id: group.id, pending: 0, emptied: true }]);
  });

  it('are carried on once: the second time nothing is made', async (t) => {
    const { batches, running, call, rows } = await start(t);
    const group = { id: newId(), details: '' };
    const member = await running({ group });
    const early = await batches.commit({ group: group.id, accepts: [anAccept(call())] });
    assert.deepEqual(early[0]?.accepted, [{ kind: 'orphan' }], 'a member has not ended');
    await batches.commit({ move: move(member, 'failed') });
    const [next, again] = [anAccept(call()), anAccept(call())];
    const [first] = await batches.commit({ group: group.id, accepts: [next] });
    const [second] = await batches.commit({ group: group.id, accepts: [again] });
    assert.deepEqual([first?.moved, first?.accepted[0]?.kind], ['succeeded', 'accepted']);
    assert.deepEqual([second?.moved, second?.accepted[0]?.kind], [undefined, 'orphan']);
    const { groups, calls } = await rows();
    assert.deepEqual(groups, []);
    assert.deepEqual(calls.map(({ call_id }) => call_id).toSorted(), [member.id, next.id].toSorted());
  });

  it('that get a member after their last has ended are not carried on before that one ends', async (t) => {
    const { batches, running, call, rows } = await start(t);
    const group = { id: newId(), details: '' };
    const first = await running({ group });
    await batches.commit({ move: move(first, 'succeeded') });
    const late = await running({ group });
    assert.deepEqual((await rows()).groups, [{ group_id: group.id, pending: 1, emptied: false }]);
    const [tooEarly] = await batches.commit({ group: group.id, accepts: [anAccept(call())] });
    assert.deepEqual(tooEarly?.accepted, [{ kind: 'orphan' }]);
    const [written] = await batches.commit({ move: move(late, 'succeeded') });
    assert.equal(written?.emptied, group.id);
  });

  it('do not empty when the last call is what makes the next member', async (t) => {
    const { batches, running, call, rows } = await start(t);
    const group = { id: newId(), details: '' };
    const parent = await running({ group });
    await batches.commit({ move: move(parent, 'succeeded'), accepts: [anAccept(call({ group }))] });
    assert.deepEqual((await rows()).groups, [{ group_id: group.id, pending: 1, emptied: false }]);
  });

  it('that lose their last call to a replacing job are found by the sweep', async (t) => {
    const { batches, call, rows } = await start(t);
    const group = { id: newId(), details: '' };
    const key = newId();
    await batches.commit({ accepts: [anAccept(call({ group, job: { key, mode: 'enqueue' } }))] });
    await batches.commit({ accepts: [anAccept(call({ job: { key, mode: 'replace' } }))] });
    assert.deepEqual((await rows()).groups, [{ group_id: group.id, pending: 0, emptied: true }]);
  });
});
