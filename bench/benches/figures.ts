import { figure, percentile, type Figure } from '../measure/statistics.ts';
import type { Round } from '../round.ts';

/** Runs that came to their last step, a second. */
export function runsPerSecond({ report }: Round): number {
  return report.ranInTime / report.seconds;
}

export function acceptedPerSecond({ report }: Round): number {
  return report.acceptedInTime / report.seconds;
}

/** The share of a baseline, measured in turn: one value for each pair of rounds. */
export function ratio(name: string, own: readonly number[], baseline: readonly number[]): Figure {
  return figure(
    name,
    '%',
    own.map((value, index) => (100 * value) / baseline[index]!),
  );
}

export function latencies(name: string, samples: readonly Float64Array[]): Figure[] {
  return [0.5, 0.99].map((share) =>
    figure(
      `${name} p${share * 100}`,
      'ms',
      samples.map((each) => percentile(each, share)),
    ),
  );
}

/** Where the processor time went, for each run; and how the hub's commits were shared. */
export function costs(rounds: readonly Round[], baseline: readonly Round[]): Figure[] {
  const cpu = (name: string, of: (round: Round) => number, from = rounds): Figure =>
    figure(name, 'CPU ms/run', from.map(of));
  return [
    cpu('processor: hub', ({ cpuMs }) => cpuMs.server),
    cpu('processor: PostgreSQL', ({ cpuMs }) => cpuMs.postgres),
    cpu('processor: load generator', ({ cpuMs }) => cpuMs.load),
    cpu('processor: stub', ({ cpuMs }) => cpuMs.stub),
    cpu('processor: same front, no storage', ({ cpuMs }) => cpuMs.server, baseline),
    figure(
      'processor time of a run, no storage of hub',
      '%',
      rounds.map((round, index) => (100 * total(baseline[index]!)) / total(round)),
    ),
    figure(
      'machine used by others',
      '%',
      rounds.map(({ others }) => 100 * others),
    ),
    figure(
      'commits',
      'commits/s',
      rounds.map(({ commits }) => commits?.perSecond ?? Number.NaN),
    ),
    figure(
      'operations in a commit',
      'operations',
      rounds.map(({ commits }) => commits?.operations ?? Number.NaN),
    ),
  ];
}

/** Everything that worked for a run. It hardly changes with what else the machine does, unlike the rate. */
function total({ cpuMs: { server, postgres, stub, load } }: Round): number {
  return server + postgres + stub + load;
}

/** What was held against one another, over all rounds. */
export function checkedIn(rounds: readonly Round[]): { checked: Record<string, number>; faults: string[] } {
  const sum = (of: (round: Round) => number): number => rounds.reduce((all, round) => all + of(round), 0);
  return {
    checked: {
      'runs accepted': sum(({ verdict }) => verdict.accepted),
      'steps served': sum(({ verdict }) => verdict.served),
      'requests refused': sum(({ report }) => report.refused.length),
      'requests unanswered': sum(({ report }) => report.unanswered.length),
    },
    faults: rounds.flatMap(({ verdict }, index) =>
      verdict.faults.map((fault) => `round ${index + 1}: ${fault}`),
    ),
  };
}
