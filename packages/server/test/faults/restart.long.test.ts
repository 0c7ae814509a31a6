import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { chanceOf } from './chance.ts';
import { check } from './checker.ts';
import { startLoad } from './clients.ts';
import { startCluster } from './cluster.ts';
import { startOwnServer } from './postgres.ts';
import { allQuiet } from './records.ts';
import { resumption } from './resumption.ts';
import { setScene } from './scene.ts';

const server = await startOwnServer({ after });

/** Milliseconds. */
const LEASE = 2_000;

describe('PostgreSQL that restarts under load', () => {
  it('loses nothing, and nobody is taken for dead', async (t) => {
    const scene = await setScene(t, server);
    scene.stub.treat = () => ({ after: pause(30) });
    const { addresses } = await startCluster(scene, 2, LEASE);
    const seed = Date.now() % 1_000_000;
    const load = startLoad(scene.clients, { callers: 12, pause: 50, addresses, chance: chanceOf(seed) });
    t.after(() => load.end());
    for (let restart = 0; restart < 8; restart++) {
      await pause(1_500); // the length of the test: load between two restarts
      await server.restart(restart % 2 === 0 ? 'fast' : 'immediate');
    }
    await load.end();
    await allQuiet(scene.target);
    const counts = await check(scene);
    t.diagnostic(JSON.stringify({ seed, restarts: 8, ...counts }));
    assert.equal(counts.adopted, 0);
    assert.ok(counts.accepted > 400, 'there was load');
  });

  it('while nodes are killed', async (t) => {
    const scene = await setScene(t, server);
    scene.stub.treat = () => ({ after: pause(30) });
    const cluster = await startCluster(scene, 2, LEASE);
    const seed = Date.now() % 1_000_000;
    const chance = chanceOf(seed);
    const { addresses } = cluster;
    const load = startLoad(scene.clients, { callers: 12, pause: 50, addresses, chance });
    t.after(() => load.end());
    const end = Date.now() + 75_000;
    let restarts = 0;
    const restarting = async (): Promise<void> => {
      for (; Date.now() < end; restarts++) {
        await pause(1_000 + 5_000 * chance());
        await server.restart(chance() < 0.5 ? 'fast' : 'immediate');
      }
    };
    const killing = async (): Promise<void> => {
      for (let kill = 0; Date.now() < end; kill++) {
        await pause(500 + 3_000 * chance());
        await cluster.replace(kill % 2);
      }
    };
    await Promise.all([restarting(), killing()]);
    await load.end();
    await allQuiet(scene.target);
    const counts = await check(scene);
    const times = await resumption(scene.target, cluster.kills);
    t.diagnostic(JSON.stringify({ seed, restarts, kills: cluster.kills.length, ...counts, times }));
    assert.ok(counts.accepted > 1_000, 'there was load');
  });
});
