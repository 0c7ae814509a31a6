import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneDatabase } from '../../../test/support/database.ts';
import { anEvent, innerScope, newTenant, startEventNode } from '../events.testing.ts';
import { readAll, testBus } from './bus.contract.ts';

testBus('PostgreSQL', async (t) => {
  const target = await cloneDatabase(t);
  const scope = innerScope(t);
  const [near, far] = [await startEventNode(scope, target), await startEventNode(scope, target)];
  scope.after(() => near.wire.resume());
  return {
    near: near.events.ports.bus,
    far: far.events.ports.bus,
    tenant: await newTenant(far.database),
    silence() {
      near.wire.pause();
      return () => near.wire.resume();
    },
  };
});

test('a member skips nobody who takes an id first and commits last', { timeout: 60_000 }, async (t) => {
  const target = await cloneDatabase(t);
  const scope = innerScope(t);
  const { events, database } = await startEventNode(scope, target);
  const tenant = await newTenant(database);
  const { bus, writer } = events.ports;
  await bus.declare({ name: 'events', partitions: 1 });
  const member = await bus.join('events', 'c', 'start');
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  scope.after(() => end.resolve());
  const late = database.acrossTenants(async (tx) => {
    await writer.append(tx, [anEvent(tenant, { data: 'late' })]);
    begun.resolve();
    await end.promise;
  });
  await begun.promise;
  await database.acrossTenants((tx) => writer.append(tx, [anEvent(tenant, { data: 'early' })]));
  const before = await member.fetch(10);
  assert.deepEqual([before.batches, before.held], [[], true]);
  end.resolve();
  await late;
  assert.deepEqual(
    (await readAll(member, 2)).map(({ event }) => event.data),
    ['late', 'early'],
  );
});
