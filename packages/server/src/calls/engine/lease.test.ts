import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { HandClock } from '../../../test/support/clock.ts';
import { cloneDatabase } from '../../../test/support/database.ts';
import { openDatabase } from '../../platform/database/index.ts';
import { query } from '../../platform/database/query.testing.ts';
import { openLossyWire } from '../../platform/group-commit/lossy-wire.testing.ts';
import { createLog } from '../../platform/log.ts';
import { innerScope } from './engine.testing.ts';
import { Lease } from './lease.ts';

const DURATION = 4_000;

async function start(scope: TestContext, { sole = false } = {}) {
  const t = innerScope(scope);
  const direct = await cloneDatabase(scope);
  const wire = await openLossyWire(t, direct);
  const log = createLog({ level: 'silent' });
  const database = openDatabase(wire.target, log);
  t.after(() => database.close());
  const clock = new HandClock();
  const living: number[] = [];
  const lease = new Lease({ database, clock, log, duration: DURATION, sole }, (n) => void living.push(n));
  await lease.start();
  /** Time passes; what was due is done before this resolves. */
  const pass = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    while (clock.pending === 0) await turnOfTheLoop();
  };
  return { direct, wire, clock, lease, living, pass };
}

const left = (target: Parameters<typeof query>[0], node: number) =>
  query<{ ms: number }>(
    target,
    `select (extract(epoch from lease_until - clock_timestamp()) * 1000)::float8 as ms from nodes where node_id = ${node}`,
  );

test('a lease is renewed by the clock of the database, four times in its life', async (t) => {
  const { direct, lease, pass } = await start(t);
  await query(direct, `update nodes set lease_until = clock_timestamp() - interval '1 hour'`);
  await pass(DURATION / 4);
  const [row] = await left(direct, lease.node);
  assert.ok(row && row.ms > 0 && row.ms <= DURATION, `${row?.ms}`);
});

test('a node is steady after one whole lease without a gap', async (t) => {
  const { lease, pass } = await start(t);
  for (let quarter = 0; quarter < 4; quarter++) {
    assert.equal(lease.steady, false);
    await pass(DURATION / 4);
  }
  assert.equal(lease.steady, true);
});

test('after an outage it is not steady before another whole lease', async (t) => {
  const { lease, pass, clock, wire } = await start(t);
  for (let quarter = 0; quarter < 4; quarter++) await pass(DURATION / 4);
  assert.equal(lease.steady, true);
  wire.pause();
  await clock.advance(DURATION / 4);
  await clock.advance(DURATION);
  assert.equal(lease.steady, false, 'the renewal is under way');
  wire.resume();
  await pass(0);
  assert.equal(lease.steady, false, 'the renewal has just happened');
  for (let quarter = 0; quarter < 4; quarter++) await pass(DURATION / 4);
  assert.equal(lease.steady, true);
});

test('a node that the others forgot goes on under another number, and is not steady', async (t) => {
  const { direct, lease, pass } = await start(t);
  for (let quarter = 0; quarter < 4; quarter++) await pass(DURATION / 4);
  const before = lease.node;
  await query(direct, 'delete from nodes');
  await pass(DURATION / 4);
  assert.notEqual(lease.node, before);
  assert.equal(lease.steady, false);
});

test('a node hears how many live, from its start on', async (t) => {
  const { direct, living, pass } = await start(t);
  assert.deepEqual(living, [1]);
  await query(
    direct,
    `insert into nodes (lease_until) values (clock_timestamp() + interval '1 hour'), ('-infinity')`,
  );
  await pass(DURATION / 4);
  assert.deepEqual(living, [1, 2]);
});

test('the only hub on its database ends the leases of all before it', async (t) => {
  const { direct, lease } = await start(t, { sole: true });
  assert.equal(lease.steady, true);
  const others = `select from nodes where lease_until > clock_timestamp() and node_id <> ${lease.node}`;
  assert.equal((await query(direct, others)).length, 0);
});

test('an ended lease is over at once, and nothing renews it', async (t) => {
  const { direct, lease, clock } = await start(t);
  await lease.end();
  await clock.advance(DURATION);
  const [row] = await left(direct, lease.node);
  assert.equal(row?.ms, Number.NEGATIVE_INFINITY);
  assert.equal(clock.pending, 0);
});
