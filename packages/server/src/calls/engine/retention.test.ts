import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { sql } from 'kysely';
import { HandClock } from '../../../test/support/clock.ts';
import { openTestDatabase } from '../../../test/support/database.ts';
import type { Database } from '../../platform/database/index.ts';
import { newId } from '../../platform/ids.ts';
import { createLog } from '../../platform/log.ts';
import { newCallId, retentionOf, type Retention } from './call.ts';
import { RetentionKeeper } from './retention.ts';

const DAY = 24 * 3_600_000;
const START = Date.UTC(2026, 5, 1, 12);

async function open(t: TestContext) {
  const database = await openTestDatabase(t);
  const clock = new HandClock(START);
  const tenant = newId();
  await database.acrossTenants((tx) =>
    tx.insertInto('tenants').values({ tenant_id: tenant, name: 'main' }).execute(),
  );
  const keeper = new RetentionKeeper({ target: database.target, clock, log: createLog({ level: 'silent' }) });
  return { database, clock, keeper, tenant };
}

/** A call of a class, made at `at`, and ended at `ended` if it has. */
async function store(database: Database, tenant: string, retention: Retention, at: number, ended?: number) {
  const id = newCallId(retention, at);
  const code = retentionOf(id);
  await database.acrossTenants(async (tx) => {
    await sql`insert into calls (tenant_id, call_id, retention, action, target, input)
              values (${tenant}, ${id}, ${code}, 't/a', 't', '{}')`.execute(tx);
    await sql`insert into attempts (tenant_id, call_id, retention, attempt, epoch, outcome, started_at, ended_at)
              values (${tenant}, ${id}, ${code}, 1, 1, 'succeeded', now(), now())`.execute(tx);
    if (ended === undefined) return;
    await sql`insert into ended_calls (tenant_id, call_id, retention, action, state, attempts, ended_at)
              values (${tenant}, ${id}, ${code}, 't/a', 'succeeded', 1, to_timestamp(${ended} / 1000.0))`.execute(
      tx,
    );
  });
  return id;
}

function rowsOf(database: Database, id: string): Promise<number[]> {
  return database.acrossTenants(async (tx) => {
    const { rows } = await sql<{ calls: number; attempts: number; ended: number }>`
      select (select count(*)::int from calls where call_id = ${id}) as calls,
             (select count(*)::int from attempts where call_id = ${id}) as attempts,
             (select count(*)::int from ended_calls where call_id = ${id}) as ended`.execute(tx);
    const { calls, attempts, ended } = rows[0]!;
    return [calls, attempts, ended];
  });
}

async function partitions(database: Database): Promise<string[]> {
  const { rows } = await database.acrossTenants((tx) =>
    sql<{ name: string }>`select relname as name from pg_class where relispartition and relkind = 'r'
                          and relname ~ '^calls_\\d_\\d+' order by 1`.execute(tx),
  );
  return rows.map(({ name }) => name);
}

/** Keeps house once a day, as a hub does far more often. */
async function passDays(clock: HandClock, keeper: RetentionKeeper, days: number): Promise<void> {
  for (let day = 0; day < days; day++) {
    await clock.advance(DAY);
    await keeper.keep();
  }
}

test('partitions are made ahead, so that a new call never lands in the rest', async (t) => {
  const { database, clock, keeper, tenant } = await open(t);
  await keeper.keep();
  const made = await partitions(database);
  assert.equal(made.length, 9);
  const id = await store(database, tenant, 'standard', clock.now());
  const { rows } = await database.acrossTenants((tx) =>
    sql<{ name: string }>`select tableoid::regclass::text as name from calls where call_id = ${id}`.execute(
      tx,
    ),
  );
  assert.match(rows[0]!.name, /calls_2_\d+_\d+$/);
  await keeper.keep();
  assert.deepEqual(await partitions(database), made);
});

test('an ended call stays for its retention and leaves then, with all its rows', async (t) => {
  const { database, clock, keeper, tenant } = await open(t);
  await keeper.keep();
  const brief = await store(database, tenant, 'brief', clock.now(), clock.now());
  const standard = await store(database, tenant, 'standard', clock.now(), clock.now());
  await passDays(clock, keeper, 1);
  assert.deepEqual(await rowsOf(database, brief), [1, 1, 1]);
  await passDays(clock, keeper, 2);
  assert.deepEqual(await rowsOf(database, brief), [0, 0, 0]);
  assert.deepEqual(await rowsOf(database, standard), [1, 1, 1]);
  await passDays(clock, keeper, 30);
  assert.deepEqual(await rowsOf(database, standard), [0, 0, 0]);
});

test('a call that has not ended outlives its partition, and leaves when its own time has come', async (t) => {
  const { database, clock, keeper, tenant } = await open(t);
  await keeper.keep();
  const waiting = await store(database, tenant, 'brief', clock.now());
  const lateEnd = await store(database, tenant, 'brief', clock.now(), clock.now() + 2.5 * DAY);
  await passDays(clock, keeper, 3);
  assert.ok(
    !(await partitions(database)).some((name) => name.startsWith(`calls_1_${START - 12 * 3_600_000}_`)),
  );
  assert.deepEqual(await rowsOf(database, waiting), [1, 1, 0]);
  assert.deepEqual(await rowsOf(database, lateEnd), [1, 1, 1]);
  await passDays(clock, keeper, 1);
  assert.deepEqual(await rowsOf(database, lateEnd), [0, 0, 0]);
  await passDays(clock, keeper, 40);
  assert.deepEqual(await rowsOf(database, waiting), [1, 1, 0]);
});

test('two nodes that keep house at once do it once', async (t) => {
  const { database, clock, keeper } = await open(t);
  const log = createLog({ level: 'silent' });
  const other = new RetentionKeeper({ target: database.target, clock, log });
  await Promise.all([keeper.keep(), other.keep(), keeper.keep()]);
  assert.equal((await partitions(database)).length, 9);
});

test('calls that came before their partition stay in the rest, and no start fails over them', async (t) => {
  const { database, clock, keeper, tenant } = await open(t);
  const early = await store(database, tenant, 'standard', clock.now(), clock.now());
  await keeper.keep();
  await keeper.keep();
  assert.deepEqual(await rowsOf(database, early), [1, 1, 1]);
  await passDays(clock, keeper, 29);
  assert.deepEqual(await rowsOf(database, early), [1, 1, 1]);
  await passDays(clock, keeper, 2);
  assert.deepEqual(await rowsOf(database, early), [0, 0, 0]);
});
