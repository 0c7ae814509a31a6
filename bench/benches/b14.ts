import type { TestContext } from 'node:test';
import { freshClone, startHub } from '../../tools/fresh-clone.ts';
import { figure } from '../measure/statistics.ts';
import type { Options } from '../options.ts';
import type { Findings } from '../report/result.ts';

/** B14: `npm start` in a fresh clone of the last commit until the hub is ready, and the same again. */
export async function b14({ repeat }: Options): Promise<Findings> {
  const first: number[] = [];
  const again: number[] = [];
  for (let nth = 0; nth < repeat; nth++) {
    const ends: (() => unknown)[] = [];
    const scope = { after: (end: () => unknown) => void ends.push(end) } as unknown as TestContext;
    try {
      const clone = await freshClone(scope);
      for (const times of [first, again]) {
        const hub = await startHub(scope, clone);
        times.push(hub.took / 1000);
        await hub.stop();
      }
    } finally {
      for (const end of ends.toReversed()) await end();
    }
  }
  return {
    title: 'B14: from a fresh clone to a hub that is ready',
    figures: [figure('npm start in a fresh clone', 's', first), figure('npm start again', 's', again)],
    checked: { clones: first.length },
    faults: [],
  };
}
