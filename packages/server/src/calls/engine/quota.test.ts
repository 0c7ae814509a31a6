import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { sql } from 'kysely';
import { HandClock } from '../../../test/support/clock.ts';
import { openTestDatabase } from '../../../test/support/database.ts';
import { newId } from '../../platform/ids.ts';
import { createLog } from '../../platform/log.ts';
import { foldUsage, Usage, type Quota } from './quota.ts';

const QUOTA: Quota = { callsPerDay: 3, unfinished: 100, storedBytes: 1_000 };

/** Two nodes that count for the same tenants. */
async function open(t: TestContext, quota: Partial<Quota> = {}) {
  const database = await openTestDatabase(t);
  const clock = new HandClock();
  const log = createLog({ level: 'silent' });
  const nodes = [1, 2].map(
    (node) => new Usage({ database, clock, log, quota: { ...QUOTA, ...quota }, node: () => node }),
  );
  const [one, two] = nodes as [Usage, Usage];
  await one.start();
  await two.start();
  return { database, one, two, tenant: newId(), other: newId() };
}

const code = (name: string) => ({ code: name });

test('a tenant that has used its calls of the day is refused, and no other tenant', async (t) => {
  const { one, tenant, other } = await open(t);
  for (let calls = 0; calls < 3; calls++) one.admit(tenant, 1);
  assert.throws(() => one.admit(tenant, 1), code('quota_calls'));
  one.admit(other, 1);
});

test('what is refused is not counted', async (t) => {
  const { one, tenant } = await open(t, { callsPerDay: 10, storedBytes: 100 });
  one.admit(tenant, 90);
  for (let tries = 0; tries < 20; tries++) assert.throws(() => one.admit(tenant, 11), code('quota_bytes'));
  one.admit(tenant, 10);
});

test('nodes add up', async (t) => {
  const { one, two, tenant } = await open(t);
  one.admit(tenant, 1);
  one.admit(tenant, 1);
  await one.stop();
  two.admit(tenant, 1);
  await two.stop();
  assert.throws(() => two.admit(tenant, 1), code('quota_calls'));
});

test('what has not ended counts until it ends, on whatever node', async (t) => {
  const { one, tenant } = await open(t, { unfinished: 2, callsPerDay: 100 });
  one.admit(tenant, 1);
  one.admit(tenant, 1);
  assert.throws(() => one.admit(tenant, 1), code('quota_unfinished'));
  one.ended(tenant, 0);
  one.admit(tenant, 1);
});

test('calls that follow others count too, though they are not refused', async (t) => {
  const { one, tenant } = await open(t);
  for (let calls = 0; calls < 5; calls++) one.add(tenant, 1);
  assert.throws(() => one.admit(tenant, 1), code('quota_calls'));
});

test('counts of nodes that are gone are kept together', async (t) => {
  const { database, one, two, tenant } = await open(t);
  one.admit(tenant, 10);
  two.admit(tenant, 20);
  await Promise.all([one.stop(), two.stop()]);
  await database.acrossTenants(foldUsage);
  const { rows } = await database.acrossTenants((tx) =>
    sql<{ node: number; accepted: number; bytes: number }>`
      select node_id as node, accepted, bytes from tenant_usage where tenant_id = ${tenant}`.execute(tx),
  );
  assert.deepEqual(rows, [{ node: 0, accepted: 2, bytes: 30 }]);
});
