import type { DatabaseTarget } from '../../src/platform/database/index.ts';
import { query } from './records.ts';

/** Milliseconds from the death of a node, over several deaths. */
export interface Resumption {
  /** To the next call that ended anywhere. */
  readonly nextEnd: { readonly median: number; readonly most: number };
  /** To the adoption of what the node left. */
  readonly adoption: { readonly median: number; readonly most: number } | undefined;
}

/** Measures by what was recorded; the database and the test share a clock. */
export async function resumption(target: DatabaseTarget, kills: readonly number[]): Promise<Resumption> {
  const ends = await timesOf(target, 'select ended_at as at from ended_calls order by 1');
  const adoptions = await timesOf(
    target,
    `select ended_at as at from attempts where outcome = 'unknown' and error like '%node_lost%'`,
  );
  const next = kills
    .flatMap((kill) => ends.find((end) => end > kill) ?? [])
    .map((end, index) => end - kills[index]!);
  const taken = adoptions.map((at) => at - (kills.findLast((kill) => kill < at) ?? at));
  return { nextEnd: spread(next)!, adoption: spread(taken) };
}

async function timesOf(target: DatabaseTarget, text: string): Promise<number[]> {
  return (await query<{ at: Date }>(target, text)).map(({ at }) => at.getTime());
}

function spread(values: readonly number[]): { median: number; most: number } | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const most = sorted.at(-1);
  return most === undefined ? undefined : { median: sorted[sorted.length >> 1]!, most };
}
