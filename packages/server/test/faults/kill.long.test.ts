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

const RUNS = [
  { nodes: 2, kills: 24 },
  { nodes: 1, kills: 6 },
];

describe('nodes that are killed under load', () => {
  for (const { nodes, kills } of RUNS)
    it(`${kills} kills, one of ${nodes} each time`, async (t) => {
      const scene = await setScene(t, server);
      // Attempts that take a while, so that every death has some under way.
      scene.stub.treat = () => ({ after: pause(30) });
      const cluster = await startCluster(scene, nodes, LEASE);
      const seed = Date.now() % 1_000_000;
      const { addresses } = cluster;
      const load = startLoad(scene.clients, { callers: 12, pause: 50, addresses, chance: chanceOf(seed) });
      t.after(() => load.end());
      for (let kill = 0; kill < kills; kill++) {
        await pause(1_500); // the length of the test: load between two deaths
        await cluster.replace(kill % nodes);
      }
      await load.end();
      await allQuiet(scene.target);
      const counts = await check(scene);
      const times = await resumption(scene.target, cluster.kills);
      t.diagnostic(JSON.stringify({ seed, kills: cluster.kills.length, ...counts, times }));
      assert.ok(counts.adopted >= kills / 2, 'the dead left something behind');
      assert.ok(counts.accepted > kills * 20, 'there was load');
    });
});
