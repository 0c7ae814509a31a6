import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { newId } from '../../src/platform/ids.ts';
import { check } from './checker.ts';
import { startOwnServer, type OwnServer } from './postgres.ts';
import type { DatabaseProxy } from './proxy.ts';
import { allQuiet, query, readCalls } from './records.ts';
import { setScene, type Scene } from './scene.ts';
import { until } from './until.ts';

/** Milliseconds. */
const LEASE = 4_000;
const OUTAGE = LEASE + 1_000;

/** Engine rule 5: after an outage every lease looks lapsed, and nobody adopts before everybody could renew. */
describe('after an outage', { concurrency: true }, () => {
  it('of the database that was longer than the lease, nobody is taken for dead', async (t) => {
    const server = await startOwnServer(t, { outage: OUTAGE });
    const { scene, finish } = await withCallsUnderWay(t, server);
    await server.restart('fast');
    await until('it has been up for longer than a lease', async () => (await uptime(scene)) > 1.5 * LEASE);
    await finish();
  });

  it('of the network, whoever is back first waits for the other', async (t) => {
    const { scene, nodes, finish } = await withCallsUnderWay(t, await startOwnServer(t));
    const [first, second] = nodes;
    for (const proxy of nodes) proxy.shut();
    await until('all leases have lapsed', async () => (await livingNodes(scene)) === 0);
    const swept = sweepsAfterRenewal(first);
    first.open();
    await swept(3);
    assert.equal(await livingNodes(scene), 1);
    second.open();
    await until('both are back', async () => (await livingNodes(scene)) === 2);
    await finish();
  });

  it('of the database, a node whose lease ran out meanwhile has one more lease to come back', async (t) => {
    const server = await startOwnServer(t);
    const { scene, nodes, finish } = await withCallsUnderWay(t, server);
    const [heir, absent] = nodes;
    absent.shut();
    await until('its lease is about to lapse', async () => (await leaseLeft(scene)) < LEASE / 4);
    await server.restart('fast');
    const swept = sweepsAfterRenewal(heir);
    await until('it lapses', async () => (await livingNodes(scene)) === 1);
    await swept(3);
    assert.ok((await uptime(scene)) < LEASE, 'this machine is too slow for this test');
    absent.open();
    await until('both are back', async () => (await livingNodes(scene)) === 2);
    await finish();
  });
});

/** Two nodes with attempts under way; `finish` lets these end, and demands that each was made once and for all. */
async function withCallsUnderWay(
  t: TestContext,
  server: OwnServer,
): Promise<{ scene: Scene; nodes: [DatabaseProxy, DatabaseProxy]; finish: () => Promise<void> }> {
  const scene = await setScene(t, server);
  const { clients, stub, target } = scene;
  const [one, other] = await Promise.all([scene.process(LEASE), scene.process(LEASE)]);
  const release = Promise.withResolvers<void>();
  stub.treat = ({ step }) => (step === 'second' ? {} : { after: release.promise });
  const asks = Array.from({ length: 40 }, (_, nth) =>
    clients.ask((nth % 2 === 0 ? one : other).node.address, {
      action: 't/idempotent',
      run: newId(),
      second: 'at once',
    }),
  );
  assert.ok((await Promise.all(asks)).every((id) => id !== undefined));
  await until('all are sent', () => stub.log.length === 40);
  // Who has just started looks as if it came back from an outage.
  await until('both nodes are steady', async () => (await ageOfNodes(scene)) > 1.5 * LEASE);
  return {
    scene,
    nodes: [one.proxy, other.proxy],
    async finish() {
      release.resolve();
      await allQuiet(target);
      const counts = await check(scene);
      t.diagnostic(JSON.stringify(counts));
      const { executed, retried, adopted, late } = counts;
      assert.deepEqual(
        { executed, retried, adopted, late },
        { executed: 80, retried: 0, adopted: 0, late: 0 },
      );
      const epochs = new Set(
        (await readCalls(target)).flatMap(({ journal }) => journal.map(({ epoch }) => epoch)),
      );
      assert.deepEqual([...epochs], [1]);
    },
  };
}

/** Resolves after so many sweeps of a node that began after its lease was renewed. */
function sweepsAfterRenewal(proxy: DatabaseProxy): (sweeps: number) => Promise<unknown> {
  let renewed = false;
  let count = 0;
  proxy.intercept = ({ statement }, phase) => {
    if (phase === 'answered' && statement.includes('update nodes set lease_until')) renewed = true;
    if (phase === 'answered' && renewed && statement.includes('set ready = true')) count++;
    return 'pass';
  };
  return (sweeps) => until('it sweeps', () => count > sweeps);
}

async function number(scene: Scene, text: string): Promise<number> {
  const [row] = await query<{ number: number }>(scene.target, text);
  return row!.number;
}

const livingNodes = (scene: Scene) =>
  number(scene, 'select count(*)::integer as number from nodes where lease_until > clock_timestamp()');
const uptime = (scene: Scene) =>
  number(
    scene,
    'select extract(epoch from clock_timestamp() - pg_postmaster_start_time())::float8 * 1000 as number',
  );
const leaseLeft = (scene: Scene) =>
  number(
    scene,
    'select extract(epoch from min(lease_until) - clock_timestamp())::float8 * 1000 as number from nodes',
  );
const ageOfNodes = (scene: Scene) =>
  number(
    scene,
    'select extract(epoch from clock_timestamp() - max(started_at))::float8 * 1000 as number from nodes',
  );
