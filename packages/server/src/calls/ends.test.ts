import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { HandClock } from '../../test/support/clock.ts';
import { openTestDatabase } from '../../test/support/database.ts';
import { systemClock } from '../platform/clock.ts';
import { query } from '../platform/database/query.testing.ts';
import { createLog } from '../platform/log.ts';
import { createSignal } from '../platform/signal/index.ts';
import { createEnds } from './ends.ts';
import { newCallId } from './engine/index.ts';

const NEVER = new AbortController().signal;

async function open(t: TestContext) {
  const database = await openTestDatabase(t);
  const clock = new HandClock();
  const signal = createSignal({
    target: database.target,
    log: createLog({ level: 'silent' }),
    clock: systemClock,
  });
  t.after(() => signal.close());
  return { database, clock, ends: createEnds({ signal, clock, database }) };
}

const aCall = () => ({ tenant: randomUUID(), id: newCallId(), here: true });

test('an end nobody told of is found by the slow look, in its own tenant only', async (t) => {
  const { database, clock, ends } = await open(t);
  const call = aCall();
  const { tenant, id } = call;
  await query(
    database.target,
    [
      `insert into calls (tenant_id, call_id, retention, action, target, input)
       values ('${tenant}', '${id}', 2, 'a/b', 'c', '{}')`,
      `insert into attempts (tenant_id, call_id, retention, attempt, epoch, outcome, started_at, ended_at, output)
       select '${tenant}', '${id}', 2, 1, epoch, outcome, now(), now(), output
       from (values (1, 'late', '1'), (2, 'succeeded', '2'), (3, 'late', '3')) as a(epoch, outcome, output)`,
      `insert into ended_calls (tenant_id, call_id, retention, action, state, attempts)
       values ('${tenant}', '${id}', 2, 'a/b', 'succeeded', 1)`,
    ],
    'linkspan_hub',
  );
  const found = ends.wait(call, 60_000, NEVER);
  const foreign = ends.wait({ ...call, tenant: randomUUID() }, 60_000, NEVER);
  await clock.advance(5_000);
  assert.deepEqual(await found, {
    id,
    state: 'succeeded',
    output: '2',
    error: undefined,
    context: undefined,
  });
  await clock.advance(60_000);
  assert.equal(await foreign, undefined);
});

test('waiting ends with the client, with its time and with the node', async (t) => {
  const { clock, ends } = await open(t);
  const client = new AbortController();
  const gone = ends.wait(aCall(), 60_000, client.signal);
  client.abort();
  assert.equal(await gone, undefined);
  assert.equal(await ends.wait(aCall(), 60_000, client.signal), undefined);
  assert.equal(clock.pending, 0, 'nothing is left of it');

  const late = ends.wait(aCall(), 1_000, NEVER);
  await clock.advance(1_000);
  assert.equal(await late, undefined);

  const stopped = ends.wait(aCall(), 60_000, NEVER);
  ends.close();
  assert.equal(await stopped, undefined);
  assert.equal(await ends.wait(aCall(), 60_000, NEVER), undefined);
  assert.equal(clock.pending, 0);
});

test('no more than 10,000 wait at a time', async (t) => {
  const { ends } = await open(t);
  const waiting = Array.from({ length: 10_000 }, () => ends.wait(aCall(), 60_000, NEVER));
  assert.equal(await ends.wait(aCall(), 60_000, NEVER), undefined);
  ends.close();
  await Promise.all(waiting);
});
