import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { HandClock } from '../../../test/support/clock.ts';
import { cloneDatabase, type Scope } from '../../../test/support/database.ts';
import { systemClock } from '../clock.ts';
import { codeOf, type DatabaseTarget } from '../database/index.ts';
import { query } from '../database/query.testing.ts';
import { createLog } from '../log.ts';
import { openGroupCommit, type BatchStatement, type GroupCommitOptions } from './index.ts';
import { openLossyWire } from './lossy-wire.testing.ts';

/** A line of a ledger: written once, however often it is sent. */
interface Line {
  readonly id: number;
  readonly key?: string;
  readonly text?: string;
  readonly bytes?: number;
}

/** `nth` is the order of writing; `batch` names the transaction, so that lines that shared one can be told. */
interface Written {
  readonly id: number;
  readonly fresh: boolean;
}

const LEDGER = [
  `create table ledger (id integer primary key, key text not null, text text not null check (text <> 'forbidden'),
     nth integer generated always as identity, batch xid8 not null default pg_current_xact_id())`,
  'grant select, insert on ledger to linkspan_hub',
];

const statement: BatchStatement<Line, Written> = {
  name: 'write_lines',
  text: `with made as (
           insert into ledger (id, key, text) select * from unnest($1::integer[], $2::text[], $3::text[])
           on conflict do nothing returning id)
         select l.id, m.id is not null as fresh from unnest($1::integer[]) as l(id) left join made m using (id)`,
  values: (ops) => [ops.map(({ id }) => id), ops.map((op) => keyOf(op)), ops.map(({ text }) => text ?? '')],
  results: (ops, rows) =>
    ops.map(({ id }) => ({ id, fresh: rows.some((row) => row['id'] === id && row['fresh'] === true) })),
  keyOf,
  bytesOf: ({ bytes }) => bytes ?? 10,
};

function keyOf({ id, key }: Line): string {
  return key ?? String(id);
}

async function start(t: Scope, more: Partial<GroupCommitOptions<Line, Written>> = {}) {
  const target = await cloneDatabase(t);
  await query(target, LEDGER);
  return { target, ...openOn(t, target, more) };
}

function openOn(t: Scope, target: DatabaseTarget, more: Partial<GroupCommitOptions<Line, Written>> = {}) {
  const batches: number[] = [];
  const commit = openGroupCommit({
    target,
    statement,
    log: createLog({ level: 'silent' }),
    clock: systemClock,
    writers: 1,
    observe: ({ operations }) => void batches.push(operations),
    ...more,
  });
  t.after(() => commit.close(0));
  return { commit, batches };
}

const lines = (target: DatabaseTarget) =>
  query<{ id: number; key: string; batch: string }>(target, 'select id, key, batch from ledger order by nth');

/** Keeps every line from being written until `release`. */
async function block(t: Scope, target: DatabaseTarget) {
  const client = new pg.Client(target);
  client.on('error', () => {});
  await client.connect();
  t.after(() => client.end().catch(() => {}));
  await client.query('begin; lock table linkspan.ledger in share mode');
  return { release: () => client.query('rollback') };
}

const writersOf = (target: DatabaseTarget, more = '') =>
  query<{ pid: number }>(
    target,
    `select pid from pg_stat_activity
     where datname = current_database() and application_name = 'linkspan_hub' ${more}`,
  );

/** Waits until a batch stands before a lock. */
async function untilBlocked(target: DatabaseTarget): Promise<number> {
  for (;;) {
    const [waiting] = await writersOf(target, `and wait_event_type = 'Lock'`);
    if (waiting) return waiting.pid;
    await sleep(5);
  }
}

/** Cuts the connections of all writers and waits until they are gone. */
async function cut(target: DatabaseTarget): Promise<void> {
  await query(
    target,
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity
     where datname = current_database() and application_name = 'linkspan_hub'`,
  );
}

describe('batches', () => {
  it('form of what is queued in one turn, and of what comes while one is under way', async (t) => {
    const { target, commit, batches } = await start(t);
    const blocked = await block(t, target);
    const first = [1, 2, 3].map((id) => commit.submit({ id }).written);
    await untilBlocked(target);
    const second = [4, 5, 6, 7].map((id) => commit.submit({ id }).written);
    assert.equal(commit.pending, 7);
    await blocked.release();
    assert.deepEqual(
      (await Promise.all([...first, ...second])).map(({ id, fresh }) => [id, fresh]),
      [1, 2, 3, 4, 5, 6, 7].map((id) => [id, true]),
    );
    assert.deepEqual(batches, [3, 4]);
    assert.equal(commit.pending, 0);
    assert.equal(new Set((await lines(target)).map(({ batch }) => batch)).size, 2);
  });

  it('hold one operation of a key, in the order they came, and others overtake', async (t) => {
    const { target, commit, batches } = await start(t);
    const ops: Line[] = [
      { id: 1, key: 'a' },
      { id: 2, key: 'a' },
      { id: 3, key: 'b' },
      { id: 4, key: 'a' },
      { id: 5, key: 'b' },
    ];
    await Promise.all(ops.map((op) => commit.submit(op).written));
    assert.deepEqual(batches, [2, 2, 1]);
    assert.deepEqual(
      (await lines(target)).map(({ id }) => id),
      [1, 3, 2, 5, 4],
    );
  });

  it('hold at most 500 operations', async (t) => {
    const { commit, batches } = await start(t);
    await Promise.all(Array.from({ length: 1_200 }, (_, id) => commit.submit({ id }).written));
    assert.deepEqual(batches, [500, 500, 200]);
  });

  it('hold at most a mebibyte, and a single operation beyond it goes alone', async (t) => {
    const { commit, batches } = await start(t);
    const sizes = [400_000, 600_000, 100_000, 3_000_000, 1];
    await Promise.all(sizes.map((bytes, id) => commit.submit({ id, bytes }).written));
    assert.deepEqual(batches, [3, 1, 1]);
  });

  it('keep the order of a key though a later operation would fit before', async (t) => {
    const { target, commit } = await start(t);
    const ops: Line[] = [
      { id: 1, bytes: 1_000_000 },
      { id: 2, key: 'a', bytes: 100_000 },
      { id: 3, key: 'a', bytes: 1 },
    ];
    await Promise.all(ops.map((op) => commit.submit(op).written));
    assert.deepEqual(
      (await lines(target)).map(({ id }) => id),
      [1, 2, 3],
    );
  });

  it('of one key go to one writer, whatever the number of writers', async (t) => {
    const { target, commit } = await start(t, { writers: 4 });
    const ops = Array.from({ length: 200 }, (_, id) => ({ id, key: `k${id % 7}` }));
    await Promise.all(ops.map((op) => commit.submit(op).written));
    const written = await lines(target);
    for (let key = 0; key < 7; key++) {
      const ids = written.filter((line) => line.key === `k${key}`).map(({ id }) => id);
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b),
      );
    }
    assert.ok((await writersOf(target)).length > 1);
  });
});

describe('faults', () => {
  it('of one operation’s data are its alone: the others are committed', async (t) => {
    const { target, commit } = await start(t);
    const ops: Line[] = Array.from({ length: 40 }, (_, id) => ({
      id,
      text: id === 17 ? 'forbidden' : id === 30 ? 'a\0b' : 'fine',
    }));
    const settled = await Promise.allSettled(ops.map((op) => commit.submit(op).written));
    const rejected = settled.flatMap((one, id) =>
      one.status === 'rejected' ? [[id, codeOf(one.reason)]] : [],
    );
    assert.deepEqual(rejected, [
      [17, '23514'],
      [30, '22021'],
    ]);
    assert.equal((await lines(target)).length, 38);
  });

  it('of timing send the same batch again, whole', async (t) => {
    for (const code of ['40001', '40P01', '55P03', '57014', '53300']) {
      const { target, commit, batches } = await start(t);
      await query(target, [
        'create sequence tries',
        'grant usage on sequence tries to linkspan_hub',
        `create function fail_twice() returns trigger language plpgsql as $$
         begin
           if nextval('tries') <= 2 then raise exception 'not now' using errcode = '${code}'; end if;
           return null;
         end $$`,
        'create trigger fail_twice after insert on ledger for each statement execute function fail_twice()',
      ]);
      const submissions = [1, 2, 3, 4].map((id) => commit.submit({ id }));
      await Promise.all(submissions.map(({ written }) => written));
      assert.deepEqual(batches, [4], code);
      const [tries] = await query<{ tries: number }>(target, 'select last_value as tries from tries');
      assert.equal(tries?.tries, 3, `${code}: two tries in vain and no halves`);
      assert.ok(submissions.every((submission) => submission.resent()));
    }
  });

  it('of values that cannot even be sent stay with their operation', async (t) => {
    const { commit } = await start(t);
    const bad = commit.submit({ id: Number.NaN });
    const good = commit.submit({ id: 1 });
    await assert.rejects(bad.written, (error) => codeOf(error) === '22P02');
    assert.equal((await good.written).fresh, true);
    assert.equal(good.resent(), true);
  });
});

describe('a lost connection', () => {
  it('in the middle of a batch sends it again on another', async (t) => {
    const { target, commit } = await start(t);
    const blocked = await block(t, target);
    const submission = commit.submit({ id: 1 });
    const pid = await untilBlocked(target);
    assert.equal(submission.resent(), false);
    await cut(target);
    await blocked.release();
    assert.deepEqual(await submission.written, { id: 1, fresh: true });
    assert.equal(submission.resent(), true);
    assert.notEqual((await writersOf(target))[0]?.pid, pid);
  });

  it('after the commit sends it again, and nothing is written twice', async (t) => {
    const { target } = await start(t);
    const wire = await openLossyWire(t, target);
    const { commit } = openOn(t, wire.target);
    await commit.submit({ id: 1 }).written;
    wire.loseNextAnswer();
    const submission = commit.submit({ id: 2 });
    assert.deepEqual(await submission.written, { id: 2, fresh: false }, 'the first try was committed');
    assert.equal(submission.resent(), true);
    assert.equal((await lines(target)).length, 2);
  });

  it('while nothing is under way is not noticed by anybody', async (t) => {
    const { target, commit } = await start(t);
    await commit.submit({ id: 1 }).written;
    await cut(target);
    assert.equal((await commit.submit({ id: 2 }).written).fresh, true);
  });

  it('to a database that is away waits until it is back', async (t) => {
    let tries = 0;
    const log = createLog({ level: 'warn', destination: { write: () => void tries++ } });
    const { target, commit } = await start(t, { log });
    const { database = '' } = new pg.Client(target);
    await commit.submit({ id: 1 }).written;
    const admin = new pg.Client({ ...target, connectionString: sibling(target) });
    await admin.connect();
    t.after(() => admin.end());
    await admin.query(`alter database ${database} allow_connections false`);
    await admin.query('select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1', [
      database,
    ]);
    const submission = commit.submit({ id: 2 });
    let done = false;
    const written = submission.written.finally(() => (done = true));
    for (const enough = () => tries >= 3; !enough();) await sleep(5);
    assert.equal(done, false);
    assert.equal(commit.pending, 1);
    await admin.query(`alter database ${database} allow_connections true`);
    assert.equal((await written).fresh, true);
  });
});

/** The address of another database on the same server. */
function sibling({ connectionString = '' }: DatabaseTarget): string {
  const url = new URL(connectionString);
  url.pathname = '/postgres';
  return url.href;
}

describe('taking back', () => {
  it('works until the operation is sent', async (t) => {
    const { target, commit } = await start(t);
    const blocked = await block(t, target);
    const sent = commit.submit({ id: 1 });
    await untilBlocked(target);
    const queued = commit.submit({ id: 2 });
    assert.equal(sent.withdraw(), false);
    assert.equal(queued.withdraw(), true);
    await assert.rejects(queued.written, { code: 'writes_backed_up' });
    await blocked.release();
    await sent.written;
    assert.equal((await commit.submit({ id: 3 }).written).fresh, true);
    assert.deepEqual(
      (await lines(target)).map(({ id }) => id),
      [1, 3],
    );
  });

  it('is refused after the end, too', async (t) => {
    const { commit } = await start(t);
    const submission = commit.submit({ id: 1 });
    await submission.written;
    assert.equal(submission.withdraw(), false);
  });
});

it('says when more waits than it should hold', async (t) => {
  const { target, commit } = await start(t, { queue: 3 });
  const blocked = await block(t, target);
  const written = [1, 2].map((id) => commit.submit({ id }).written);
  assert.equal(commit.full, false);
  written.push(commit.submit({ id: 3 }).written);
  assert.equal(commit.full, true);
  await blocked.release();
  await Promise.all(written);
  assert.equal(commit.full, false);
});

describe('closing', () => {
  it('writes what is queued, then lets go of its connections', async (t) => {
    const { target, commit } = await start(t, { writers: 2 });
    const written = Array.from({ length: 50 }, (_, id) => commit.submit({ id }).written);
    await commit.close(10_000);
    assert.equal((await Promise.all(written)).length, 50);
    assert.equal((await lines(target)).length, 50);
  });

  it('gives up what the database does not take in time, and says that nobody knows', async (t) => {
    const clock = new HandClock();
    const { target, commit } = await start(t, { clock });
    const blocked = await block(t, target);
    const { written } = commit.submit({ id: 1 });
    const outcome = assert.rejects(written, { code: 'write_not_confirmed' });
    await untilBlocked(target);
    const closed = commit.close(1_000);
    await clock.advance(1_000);
    // The cut connection is noticed by a real socket; the pause after it is the clock's.
    for (let over = false; !over;) {
      await clock.advance(20);
      over = await Promise.race([closed.then(() => true), sleep(5).then(() => false)]);
    }
    await outcome;
    await blocked.release();
    await assert.rejects(commit.submit({ id: 2 }).written, { code: 'write_not_confirmed' });
    assert.equal(clock.pending, 0, 'no timer is left');
  });
});
