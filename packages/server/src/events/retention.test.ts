import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { HandClock } from '../../test/support/clock.ts';
import { openTestDatabase } from '../../test/support/database.ts';
import { newId } from '../platform/ids.ts';
import { silent } from './events.testing.ts';
import { EventKeeper } from './retention.ts';

const DAY = 24 * 3_600_000;
const START = Date.UTC(2026, 5, 1, 12);

test('events lie in partitions made ahead, leave when they have been kept long enough, and readers can tell', async (t) => {
  const database = await openTestDatabase(t);
  const clock = new HandClock(START);
  const keeper = new EventKeeper({ target: database.target, clock, log: silent });
  const all = <R>(query: ReturnType<typeof sql<R>>) =>
    database.acrossTenants(async (tx) => (await query.execute(tx)).rows);
  await all(sql`insert into topics (topic, partitions) values ('events', 4)`);
  await keeper.keep();
  const write = async (at: number): Promise<{ table: string; transaction: number }> => {
    const [row] = await all(sql<{ table: string; transaction: number }>`
      insert into events (tenant_id, key, type, at) values (${newId()}, 'k', 'app.x', to_timestamp(${at} / 1000.0))
      returning tableoid::regclass::text as table, transaction_id as transaction`);
    return row!;
  };
  const tables = async () =>
    (await all(sql<{ table: string }>`select tableoid::regclass::text as table from events order by at`)).map(
      ({ table }) => table,
    );
  const today = await write(START);
  const tomorrow = await write(START + DAY);
  const beyond = await write(START + 20 * DAY);
  assert.match(today.table, /^(?:linkspan\.)?events_\d+_\d+$/);
  assert.notEqual(today.table, tomorrow.table);
  assert.match(beyond.table, /events_rest$/);

  for (let day = 0; day < 8; day++) {
    await clock.advance(DAY);
    await keeper.keep();
  }
  assert.deepEqual(await tables(), [tomorrow.table, beyond.table]);
  const [topic] = await all(sql<{ dropped: number }>`select dropped_through as dropped from topics`);
  assert.equal(topic?.dropped, today.transaction);

  for (let day = 0; day < 25; day++) {
    await clock.advance(DAY);
    await keeper.keep(); // on day 18 the rest already holds what would be in a partition made then
  }
  assert.deepEqual(await tables(), []);
});
