import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql, type CompiledQuery } from 'kysely';
import pg from 'pg';
import { openTestDatabase, type Scope } from '../../../test/support/database.ts';
import { systemClock } from '../../platform/clock.ts';
import { clientConfig, type Database, type Transaction } from '../../platform/database/index.ts';
import { query } from '../../platform/database/query.testing.ts';
import { newId } from '../../platform/ids.ts';
import type { NewCall } from './call.ts';
import type { Continuations } from './continuation.ts';
import type { EngineOptions } from './engine.ts';
import {
  aCall,
  anAccept,
  asOwned,
  eventually,
  innerScope,
  newTenant,
  openBatches,
  rowsOf,
} from './engine.testing.ts';
import { Slots } from './slots.ts';
import * as store from './store.ts';
import { LEASE, Outside, startNode } from './two-nodes.testing.ts';

const NEVER_OPEN = { failures: 1_000, pause: 1 };

async function start(test: TestContext) {
  const t = innerScope(test);
  const database = await openTestDatabase(test);
  const tenant = await newTenant(database);
  const batches = await openBatches(t, database);
  const outside = new Outside();
  const slots = new Slots(
    { node: 10_000, tenant: 10_000, target: () => ({ concurrency: 1, breaker: NEVER_OPEN }) },
    systemClock,
  );
  let born = 0;
  return {
    t,
    database,
    tenant,
    batches,
    outside,
    /** Accepts as many of a call as a backlog nobody owns. */
    backlog: async (call: NewCall, count: number): Promise<string[]> => {
      const lane = slots.lane(call.tenant, call.target);
      const accepts = Array.from({ length: count }, () => anAccept(call, { lane }));
      await batches.commit({ accepts });
      return accepts.map(({ id }) => id);
    },
    laneOf: (call: NewCall) => slots.lane(call.tenant, call.target),
    /** Starts a node; the one that made the backlog is dead by then. */
    node: async (more: Partial<EngineOptions> = {}) => {
      await database.acrossTenants((tx) => store.endLease(tx, batches.node, 0));
      return startNode(t, database.target, outside, `node-${born++}`, more);
    },
  };
}

const succeed = (outside: Outside, call?: string): void => {
  for (const one of outside.open(call)) one.settle({ kind: 'succeeded', output: '"done"' });
};

/** A call that a dead node left behind. */
async function leftBehind(
  { database, batches }: { database: Database; batches: Awaited<ReturnType<typeof openBatches>> },
  call: NewCall,
): Promise<ReturnType<typeof asOwned>> {
  const accept = anAccept(call, { owned: true });
  await batches.commit({ accepts: [accept] });
  await database.acrossTenants((tx) =>
    sql`update nodes set lease_until = '-infinity' where node_id = ${batches.node}`.execute(tx),
  );
  return asOwned(accept);
}

describe('claiming', () => {
  const claim = (database: Database, node: number, more: Partial<store.ClaimOptions>) =>
    database.acrossTenants((tx) =>
      store.claimReady(tx, { node, room: 16, lanes: 64, narrow: [], after: -1, ...more }),
    );

  it('goes round the lanes: three calls of one tenant do not wait behind 5,000 of another', async (t) => {
    const { database, tenant, batches, backlog } = await start(t);
    const other = await newTenant(database);
    await backlog(aCall(tenant), 5_000);
    const few = await backlog(aCall(other), 3);
    const claimed = await claim(database, batches.node, {});
    assert.equal(claimed.filter(({ call }) => call.tenant === tenant).length, 8);
    assert.deepEqual(
      claimed.filter(({ call }) => call.tenant === other).map(({ call }) => call.id),
      few.toSorted(),
    );
    assert.ok(
      claimed.every(({ call, state }) => state === 'running' && call.attempt === 1 && call.epoch === 2),
    );
  });

  it('goes on after the lane that had its turn, and leaves nobody out when there is less room than lanes', async (t) => {
    const { database, tenant, batches, backlog } = await start(t);
    for (let target = 0; target < 5; target++) await backlog(aCall(tenant, { target: `t${target}` }), 4);
    const seen: string[] = [];
    let after = -1;
    for (let round = 0; round < 3; round++) {
      const claimed = await claim(database, batches.node, { room: 2, after });
      seen.push(...claimed.map(({ call }) => call.target));
      after = claimed.length < 2 ? -1 : claimed.at(-1)!.lane;
    }
    assert.equal(new Set(seen).size, 5, seen.join());
  });

  it('takes of a narrow lane what it bears, and nothing of a full one', async (t) => {
    const { database, tenant, batches, backlog, laneOf } = await start(t);
    const [full, narrow, wide] = ['full', 'narrow', 'wide'].map((target) => aCall(tenant, { target })) as [
      NewCall,
      NewCall,
      NewCall,
    ];
    for (const call of [full, narrow, wide]) await backlog(call, 10);
    const claimed = await claim(database, batches.node, {
      room: 30,
      narrow: [
        { lane: laneOf(full), room: 0 },
        { lane: laneOf(narrow), room: 2 },
      ],
    });
    const count = (target: string) => claimed.filter(({ call }) => call.target === target).length;
    assert.deepEqual([count('full'), count('narrow'), count('wide')], [0, 2, 10]);
  });

  it('is not for a node whose lease has run out', async (t) => {
    const { database, tenant, batches, backlog } = await start(t);
    await backlog(aCall(tenant), 3);
    await database.acrossTenants((tx) => sql`update nodes set lease_until = '-infinity'`.execute(tx));
    assert.deepEqual(await claim(database, batches.node, {}), []);
  });

  it('by two nodes at once takes every call once', async (t) => {
    const { database, tenant, batches, backlog } = await start(t);
    const ids = await backlog(aCall(tenant), 200);
    const claimed = await Promise.all(
      Array.from({ length: 20 }, () => claim(database, batches.node, { room: 15 })),
    );
    const taken = claimed.flat().map(({ call }) => call.id);
    assert.equal(new Set(taken).size, taken.length);
    assert.ok(taken.length > 0 && taken.every((id) => ids.includes(id)));
  });

  it('given back is as it was before, under another epoch', async (t) => {
    const { database, tenant, batches, backlog } = await start(t);
    await backlog(aCall(tenant), 1);
    const [claimed] = await claim(database, batches.node, {});
    assert.ok(claimed);
    await database.acrossTenants((tx) => store.handBack(tx, [claimed.call]));
    await database.acrossTenants((tx) => store.handBack(tx, [claimed.call]));
    const { call_id: _, ...row } = (await rowsOf(database)).unfinished[0]!;
    assert.deepEqual(row, {
      state: 'queued',
      epoch: 3,
      attempt: 0,
      node_id: null,
      ready: true,
      reason: null,
    });
  });
});

describe('a node with a backlog', () => {
  it('starts the few of one tenant at once, whatever another has piled up', async (t) => {
    const { database, tenant, outside, backlog, node } = await start(t);
    const other = await newTenant(database);
    await backlog(aCall(tenant), 5_000);
    await backlog(aCall(other), 3);
    const target = () => ({ concurrency: 100, breaker: NEVER_OPEN });
    await node({ limits: { node: 8, tenant: 8, target }, sweepEvery: 60_000 });
    await outside.until(() => outside.executions.length === 8);
    const { rows } = await database.acrossTenants((tx) =>
      sql<{ id: string }>`select call_id as id from calls where tenant_id = ${other}`.execute(tx),
    );
    const started = outside.executions.filter(({ call }) => rows.some(({ id }) => id === call));
    assert.equal(started.length, 3);
    succeed(outside);
  });

  it('of a full target goes on with others, and with that target as soon as an attempt ends', async (t) => {
    const { tenant, outside, backlog, node } = await start(t);
    const full = await backlog(aCall(tenant, { target: 'full' }), 6);
    const free = await backlog(aCall(tenant, { target: 'free' }), 6);
    const target = (name: string) => ({ concurrency: name === 'full' ? 1 : 10, breaker: NEVER_OPEN });
    // No round comes within the test: everything is moved by ends alone.
    await node({ limits: { node: 20, tenant: 20, target }, sweepEvery: 60_000 });
    await outside.until(() => free.every((id) => outside.of(id).length === 1));
    for (let nth = 1; nth <= full.length; nth++) {
      await outside.until(() => outside.executions.filter(({ call }) => full.includes(call)).length === nth);
      assert.equal(outside.open().filter(({ call }) => full.includes(call)).length, 1);
      for (const id of full) succeed(outside, id);
    }
    succeed(outside);
  });

  it('of a tenant at its limit neither claims nor gives back over and over', async (t) => {
    const { database, tenant, outside, backlog, node } = await start(t);
    await backlog(aCall(tenant, { target: 'a' }), 30);
    await backlog(aCall(tenant, { target: 'b' }), 30);
    const target = () => ({ concurrency: 50, breaker: NEVER_OPEN });
    await node({ limits: { node: 50, tenant: 2, target }, sweepEvery: 10 });
    await outside.until(() => outside.executions.length === 2);
    await sleep(200);
    const { unfinished } = await rowsOf(database);
    assert.ok(
      Math.max(...unfinished.map(({ epoch }) => epoch)) <= 5,
      JSON.stringify(unfinished.map(({ epoch }) => epoch)),
    );
    succeed(outside);
  });
});

describe('100,000 calls that wait for their time', () => {
  it('cost nothing but those that are due: every look goes through an index', async (t) => {
    const { t: scope, database, tenant, batches, backlog } = await start(t);
    await database.acrossTenants((tx) =>
      sql`insert into unfinished_calls (tenant_id, call_id, state, lane, ready, due, deadline)
          select ${tenant}, gen_random_uuid(), (case when n % 2 = 0 then 'queued' else 'waiting' end)::call_state, n % 1000, false,
                 clock_timestamp() + interval '1 day', clock_timestamp() + interval '2 days'
          from generate_series(1, 100000) n`.execute(tx),
    );
    const ids = await backlog(aCall(tenant, { delay: 0 }), 7);
    await backlog(aCall(tenant), 5);
    await backlog(aCall(tenant, { delay: 60_000, deadline: -1 }), 2);
    await query(database.target, 'analyze unfinished_calls');

    const recorded = recorder(scope, database);
    const promoted = await recorded.run((tx) => store.promoteDue(tx, 500));
    const over = await recorded.run((tx) => store.overdue(tx, 500));
    // Planned inside its function, which forbids sequential scans.
    const claimed = await database.acrossTenants((tx) =>
      store.claimReady(tx, { node: batches.node, room: 50, lanes: 64, narrow: [], after: -1 }),
    );
    await recorded.run((tx) => store.cancellingOf(tx, batches.node));
    assert.deepEqual([promoted, over.length, claimed.length], [ids.length, 2, ids.length + 5]);
    for (const { plan } of recorded.plans) {
      assert.doesNotMatch(plan, /Seq Scan on unfinished_calls/, plan);
      assert.match(plan, /unfinished_(due|deadline|cancelling)/, plan);
    }
    assert.equal(recorded.plans.length, 3);
  });
});

/** Runs statements of the store and explains each before. */
function recorder(t: Scope, database: Database) {
  const pool = new pg.Pool({ ...clientConfig(database.target, 'linkspan_hub'), max: 2 });
  const queries: CompiledQuery[] = [];
  const db = new Kysely<never>({
    dialect: new PostgresDialect({ pool }),
    log: ({ query: one }) => void queries.push(one),
  });
  t.after(() => db.destroy());
  const plans: { plan: string }[] = [];
  return {
    plans,
    async run<T>(look: (tx: Transaction) => Promise<T>): Promise<T> {
      // Undone once, so that the plan is that of a statement with something to do.
      const undone = new Error('only looked at');
      queries.length = 0;
      await db
        .transaction()
        .execute(async (tx) => {
          await look(tx as unknown as Transaction);
          throw undone;
        })
        .catch((error: unknown) => assert.equal(error, undone));
      const text = queries.find(({ sql: one }) => one.includes('unfinished_calls'))!;
      const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain ${text.sql}`, [
        ...text.parameters,
      ]);
      plans.push({ plan: rows.map((row) => row['QUERY PLAN']).join('\n') });
      return db.transaction().execute((tx) => look(tx as unknown as Transaction));
    },
  };
}

describe('adopting', () => {
  it('waits until the adopting node has been steady for a whole lease', async (t) => {
    const parts = await start(t);
    const call = await leftBehind(parts, aCall(parts.tenant, { action: 'test/idempotent' }));
    const before = Date.now();
    await parts.node();
    await parts.outside.until(() => parts.outside.of(call.id).length === 1);
    assert.ok(Date.now() - before >= LEASE);
    const [execution] = parts.outside.of(call.id);
    assert.equal(execution?.attempt, 2);
    assert.ok((execution?.epoch ?? 0) > call.epoch);
    succeed(parts.outside);
    await eventually(async () => (await rowsOf(parts.database)).ended.length === 1);
    const { attempts } = await rowsOf(parts.database);
    assert.deepEqual(
      attempts.map(({ attempt, outcome }) => [attempt, outcome]),
      [
        [1, 'unknown'],
        [2, 'succeeded'],
      ],
    );
  });

  it('waits until the server has been up for a whole lease', async (t) => {
    const parts = await start(t);
    await leftBehind(parts, aCall(parts.tenant));
    const node = await parts.database.acrossTenants((tx) => store.registerNode(tx, 60_000));
    const adopt = (lease: number) =>
      parts.database.acrossTenants((tx) => store.adopt(tx, { node, lease, most: 10 }));
    assert.deepEqual(await adopt(365 * 24 * 3_600_000), []);
    assert.equal((await adopt(0)).length, 1);
  });

  it('is not of a node that lives, nor by one whose lease has run out', async (t) => {
    const { database, tenant, batches } = await start(t);
    await batches.commit({ accepts: [anAccept(aCall(tenant), { owned: true })] });
    const node = await database.acrossTenants((tx) => store.registerNode(tx, 60_000));
    const adopt = () => database.acrossTenants((tx) => store.adopt(tx, { node, lease: 0, most: 10 }));
    assert.deepEqual(await adopt(), []);
    await database.acrossTenants((tx) => sql`update nodes set lease_until = '-infinity'`.execute(tx));
    assert.deepEqual(await adopt(), []);
    await database.acrossTenants((tx) => store.renewLease(tx, node, 60_000));
    const [adopted] = await adopt();
    assert.deepEqual([adopted?.call.epoch, adopted?.crashes, adopted?.state], [2, 1, 'running']);
  });

  it('the third time over holds the call: it takes its nodes down', async (t) => {
    const parts = await start(t);
    const { database, tenant, outside, node } = parts;
    const call = await leftBehind(parts, aCall(tenant, { action: 'test/idempotent' }));
    await database.acrossTenants((tx) => sql`update unfinished_calls set crashes = 2`.execute(tx));
    await node();
    await eventually(async () => (await rowsOf(database)).unfinished[0]?.state === 'held');
    const { unfinished, attempts } = await rowsOf(database);
    assert.equal(unfinished[0]?.reason, 'poison');
    assert.deepEqual(
      attempts.map(({ outcome }) => outcome),
      ['unknown'],
    );
    assert.equal(outside.of(call.id).length, 0);
  });

  it('of what may not be repeated holds it, and of what can be asked about asks', async (t) => {
    const parts = await start(t);
    const never = await leftBehind(parts, aCall(parts.tenant, { action: 'test/never' }));
    await parts.database.acrossTenants((tx) => store.renewLease(tx, parts.batches.node, 60_000));
    const probed = await leftBehind(parts, aCall(parts.tenant, { action: 'test/probed' }));
    await parts.node();
    await parts.outside.until(() => parts.outside.of(probed.id).length === 1); // the probe said: it did not happen
    succeed(parts.outside);
    await eventually(async () => (await rowsOf(parts.database)).ended.length === 1);
    const { unfinished, attempts } = await rowsOf(parts.database);
    assert.deepEqual(
      unfinished.map(({ call_id, state, reason }) => [call_id, state, reason]),
      [[never.id, 'held', 'unknown_outcome']],
    );
    assert.equal(parts.outside.of(never.id).length, 0);
    assert.deepEqual(
      attempts.filter(({ call_id }) => call_id === probed.id).map(({ outcome }) => outcome),
      ['unknown', 'failed', 'succeeded'],
    );
  });

  it('of a call whose outcome is recorded carries out only what follows', async (t) => {
    const parts = await start(t);
    const { database, tenant, batches, outside, node } = parts;
    const accept = anAccept(aCall(tenant, { place: { run: newId() } }), { owned: true });
    await batches.commit({ accepts: [accept] });
    const attempt = { outcome: 'succeeded', started: 0, ended: 1, output: '"kept"' } as const;
    await batches.commit({ move: { call: asOwned(accept), to: 'continuing', reason: 'succeeded', attempt } });
    await database.acrossTenants((tx) => sql`update nodes set lease_until = '-infinity'`.execute(tx));
    const asked: unknown[] = [];
    const continuations: Continuations = {
      callEnded: ({ call, state, output }) => {
        asked.push([call.id, state, output]);
        return [aCall(tenant, { action: 'test/idempotent' })];
      },
    };
    await node({ continuations });
    await outside.until(() => outside.executions.length === 1);
    succeed(outside);
    await eventually(async () => (await rowsOf(database)).ended.length === 2);
    assert.deepEqual(asked, [[accept.id, 'succeeded', '"kept"']]);
    assert.equal(outside.of(accept.id).length, 0, 'what is recorded is not executed again');
  });

  it('of a call that was to be cancelled cancels it', async (t) => {
    const parts = await start(t);
    const call = await leftBehind(parts, aCall(parts.tenant));
    await parts.database.acrossTenants((tx) => store.markCancelling(tx, parts.tenant, call.id));
    await parts.node();
    await eventually(async () => (await rowsOf(parts.database)).ended.length === 1);
    assert.equal((await rowsOf(parts.database)).ended[0]?.state, 'cancelled');
    assert.equal(parts.outside.of(call.id).length, 0);
  });
});

describe('draining', () => {
  it('takes nothing new, lets attempts end, and hands over what does not', async (t) => {
    const { tenant, outside, node, database } = await start(t);
    const [one, two] = [await node(), await node()];
    const quick = await one.engine.accept(aCall(tenant, { action: 'test/idempotent' }));
    const slow = await one.engine.accept(aCall(tenant, { action: 'test/idempotent' }));
    await outside.until(() => outside.open().length === 2);
    const aborted = outside.of(slow.id)[0]!;
    aborted.signal.addEventListener('abort', () =>
      aborted.settle({
        kind: 'unknown',
        error: { code: 'aborted', message: 'Aborted.', retry: 'transient' },
      }),
    );
    const drained = one.engine.drain(200);
    await assert.rejects(one.engine.accept(aCall(tenant)), { code: 'node_draining' });
    succeed(outside, quick.id);
    await drained;
    await outside.until(() => outside.of(slow.id).length === 2);
    assert.equal(outside.of(slow.id)[1]?.node, two.name);
    succeed(outside);
    await eventually(async () => (await rowsOf(database)).ended.length === 2);
    assert.equal(outside.of(quick.id).length, 1);
  });

  it('ends in time though the database is away and a continuation never works', async (t) => {
    const { tenant, outside, node } = await start(t);
    const never: Continuations = { callEnded: () => Promise.reject(new Error('never')) };
    const one = await node({ continuations: never });
    const call = aCall(tenant, { action: 'test/idempotent', place: { run: newId() } });
    const { id } = await one.engine.accept(call);
    await outside.until(() => outside.of(id).length === 1);
    succeed(outside);
    const { id: other } = await one.engine.accept(call);
    await outside.until(() => outside.of(other).length === 1);
    one.wire.cut();
    succeed(outside);
    const outcome = await Promise.race([
      one.engine.drain(50).then(
        () => 'drained',
        () => 'drained',
      ),
      sleep(15_000),
    ]);
    assert.equal(outcome, 'drained');
  });
});
