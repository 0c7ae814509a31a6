import type { NodeProcess } from './processes.ts';
import type { Scene } from './scene.ts';
import { until } from './until.ts';

/** Nodes, each in a process of its own, that come and go. */
export interface Cluster {
  /** Of those that serve. */
  readonly addresses: () => readonly string[];
  /** Kills one at its place and starts another there; resolves when that one serves. */
  replace(place: number): Promise<void>;
  /** When nodes were killed, in milliseconds since the epoch. */
  readonly kills: readonly number[];
}

export async function startCluster(scene: Scene, size: number, lease: number): Promise<Cluster> {
  const places: (NodeProcess | undefined)[] = [];
  const start = async (place: number): Promise<void> => {
    // One that finds no database as it starts ends, and whoever runs it starts it again.
    const { node } = await until('a node starts', () => scene.process(lease));
    places[place] = node;
  };
  await Promise.all(Array.from({ length: size }, (_, place) => start(place)));
  const kills: number[] = [];
  return {
    addresses: () => places.flatMap((node) => node?.address ?? []),
    async replace(place) {
      const node = places[place];
      places[place] = undefined;
      kills.push(Date.now());
      await node?.kill();
      await start(place);
    },
    kills,
  };
}
