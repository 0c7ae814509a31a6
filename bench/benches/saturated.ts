import { figure } from '../measure/statistics.ts';
import type { Options } from '../options.ts';
import type { Findings } from '../report/result.ts';
import { hubRound, planOf, serverRound, type Round, type Shape } from '../round.ts';
import { startWorld } from '../world.ts';
import { acceptedPerSecond, checkedIn, costs, latencies, ratio, runsPerSecond } from './figures.ts';

interface Rounds {
  readonly hub: Round[];
  readonly front: Round[];
  readonly bare: Round[];
}

/** B5: runs of two durable steps, each a local HTTP call, as many as go. */
export async function b5(options: Options): Promise<Findings> {
  const shape = { steps: 2, connections: options.connections, outstanding: options.outstanding };
  const { rounds, postgres } = await alternate(shape, options);
  const [hub, front, bare] = [rounds.hub, rounds.front, rounds.bare].map((all) => all.map(runsPerSecond));
  return {
    title: 'B5: runs of 2 durable steps with a local HTTP call each',
    postgres,
    figures: [
      figure('hub', 'runs/s', hub!),
      figure('same front, no storage', 'runs/s', front!),
      figure('… and the barest client', 'runs/s', bare!),
      ratio('hub, of the same front', hub!, front!),
      ratio('hub, of the barest client', hub!, bare!),
      ...latencies(
        'accepted',
        rounds.hub.map(({ report }) => report.acceptMs),
      ),
      ...latencies(
        'last step begun',
        rounds.hub.map(({ report }) => report.runMs),
      ),
      ...costs(rounds.hub, rounds.front),
    ],
    ...checkedIn([...rounds.hub, ...rounds.front, ...rounds.bare]),
  };
}

/** B2, the accepting part: calls of one step, answered after their commit. */
export async function b2(options: Options): Promise<Findings> {
  const shape = { steps: 1, connections: options.connections, outstanding: options.outstanding };
  const { rounds, postgres } = await alternate(shape, options);
  const [hub, front, bare] = [rounds.hub, rounds.front, rounds.bare].map((all) => all.map(acceptedPerSecond));
  return {
    title: 'B2: calls accepted, answered after their commit, and made',
    postgres,
    figures: [
      figure('hub', 'calls/s', hub!),
      figure('same front, no storage', 'calls/s', front!),
      figure('… and the barest client', 'calls/s', bare!),
      ratio('hub, of the same front', hub!, front!),
      ...latencies(
        'accepted',
        rounds.hub.map(({ report }) => report.acceptMs),
      ),
      ...latencies(
        'accepted, no storage',
        rounds.front.map(({ report }) => report.acceptMs),
      ),
      ...costs(rounds.hub, rounds.front),
    ],
    ...checkedIn([...rounds.hub, ...rounds.front, ...rounds.bare]),
  };
}

/**
 * B4: three durable steps in sequence, one run at a time. A fourth call follows the third step; when the stub is asked
 * for it, the third outcome is on disk, so the time covers one accepting and three recording commits.
 */
export async function b4(options: Options): Promise<Findings> {
  const { rounds, postgres } = await alternate({ steps: 4, connections: 1, outstanding: 1 }, options);
  const hub = latencies(
    'hub',
    rounds.hub.map(({ report }) => report.runMs),
  );
  const front = latencies(
    'same front, no storage',
    rounds.front.map(({ report }) => report.runMs),
  );
  return {
    title: 'B4: 3 durable steps in sequence, one run at a time',
    postgres,
    figures: [
      hub[0]!,
      front[0]!,
      hub[1]!,
      front[1]!,
      figure(
        'hub p50 beyond its front, in commits of one row',
        'commits',
        hub[0]!.values.map(
          (value, nth) => ((value - front[0]!.values[nth]!) * postgres.commitsPerSecond) / 1000,
        ),
      ),
      ...costs(rounds.hub, rounds.front),
    ],
    ...checkedIn([...rounds.hub, ...rounds.front, ...rounds.bare]),
  };
}

/** The hub and its baselines in turn, so that what else the machine does meets all of them. */
async function alternate(shape: Shape, options: Options) {
  const world = await startWorld(options);
  try {
    const hub = await world.startHub();
    const token = await world.makeToken(hub.ready);
    const front = await world.startFront('action');
    const bare = await world.startFront('bare');
    const rounds: Rounds = { hub: [], front: [], bare: [] };
    const plan = (address: string) => planOf(world, token, [address], shape, options);
    for (let nth = 0; nth < options.repeat; nth++) {
      rounds.front.push(await serverRound(world, front, plan(front.ready)));
      rounds.hub.push(await hubRound(world, hub, plan(hub.ready)));
      rounds.bare.push(await serverRound(world, bare, plan(bare.ready)));
    }
    return { rounds, postgres: world.facts };
  } finally {
    await world.close();
  }
}
