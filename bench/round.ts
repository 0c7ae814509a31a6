import { availableParallelism } from 'node:os';
import type { LoadPlan, LoadReport } from './load.ts';
import { cpuOf, cpuOfAll } from './measure/cpu.ts';
import { grown, readMetrics } from './measure/metrics.ts';
import type { Options } from './options.ts';
import type { Child } from './processes/child.ts';
import { verify, type Served, type Verdict } from './verify.ts';
import type { World } from './world.ts';

/** What one round of load came to. */
export interface Round {
  readonly report: LoadReport;
  readonly verdict: Verdict;
  readonly log: readonly Served[];
  /** Milliseconds of processor time for each run that ended in the measured time; NaN where it cannot be read. */
  readonly cpuMs: {
    readonly server: number;
    readonly postgres: number;
    readonly stub: number;
    readonly load: number;
  };
  /** Share of the machine's processor time that others used in the measured time; NaN where it cannot be read. */
  readonly others: number;
  /** Of a hub, in the measured time. */
  readonly commits?: { readonly perSecond: number; readonly operations: number };
}

/** What differs between the benchmarks. */
export interface Shape {
  readonly steps: number;
  readonly connections: number;
  readonly outstanding: number;
}

/** Seconds for what is under way at the end of the load, and then for its last commits. */
const DRAIN = 60;
const SETTLE = 20;

/** Keys of rounds never meet. */
const KEYS = 10_000_000;
let rounds = 0;

/** A free range of keys. */
export function nextKeys(): number {
  return ++rounds * KEYS;
}

export function planOf(
  world: World,
  token: string,
  addresses: readonly string[],
  shape: Shape,
  { warm, seconds }: Pick<Options, 'warm' | 'seconds'>,
): LoadPlan {
  return {
    addresses,
    token,
    stub: world.stub.ready,
    ...shape,
    warm,
    seconds,
    firstKey: nextKeys(),
    drain: DRAIN,
  };
}

/** Loads a hub, waits until all of it has ended, and holds what the stub served against what was accepted. */
export async function hubRound(world: World, hub: Child<string>, plan: LoadPlan): Promise<Round> {
  const before = await endsOf(world);
  const open = await unfinished(world);
  const start = await readMetrics(hub.ready);
  let commits: Round['commits'];
  const round = await serverRound(world, hub, plan, async (seconds) => {
    const end = await readMetrics(hub.ready);
    const count = grown(start, end, 'linkspan_commit_operations_count');
    const operations = grown(start, end, 'linkspan_commit_operations_sum');
    commits = { perSecond: count / (seconds + plan.warm), operations: operations / count };
  });
  const faults = [
    ...round.verdict.faults,
    ...(await endFaults(world, { before, open, expected: round.report.accepted.length * plan.steps })),
    ...(await readingFaults(hub.ready, plan.token, round.report.ids)),
  ];
  return { ...round, verdict: { ...round.verdict, faults }, ...(commits && { commits }) };
}

/** Loads a server, and holds what the stub served against what was accepted. */
export async function serverRound(
  world: World,
  server: Child<string>,
  plan: LoadPlan,
  measured: (seconds: number) => Promise<void> = async () => {},
): Promise<Round> {
  await world.stub.ask('take');
  const pids = {
    server: server.pid,
    postgres: world.postgres.pid,
    stub: world.stub.pid,
    load: world.load.pid,
  };
  const read = (): Used => ({
    own: mapCpu((name) => cpuOf(pids[name]) ?? Number.NaN),
    all: cpuOfAll() ?? Number.NaN,
  });
  let from: Used | undefined;
  let used: Used | undefined;
  let after: Promise<void> = Promise.resolve();
  world.load.onTold((phase) => {
    if (phase === 'measuring') from = read();
    if (phase !== 'measured' || !from) return;
    const [first, last] = [from, read()];
    used = { own: mapCpu((name) => last.own[name] - first.own[name]), all: last.all - first.all };
    after = measured(plan.seconds);
  });
  const report = await world.load.ask<LoadReport>('load', plan);
  await after;
  const log = await world.stub.ask<Served[]>('take');
  const verdict = verify(log, report, { steps: plan.steps, faults: false });
  const cpuMs = mapCpu((name) => ((used?.own[name] ?? Number.NaN) * 1000) / report.ranInTime);
  const { server: own, postgres, stub, load } = used?.own ?? mapCpu(() => Number.NaN);
  const others =
    ((used?.all ?? Number.NaN) - own - postgres - stub - load) / (plan.seconds * availableParallelism());
  return { report, verdict, log, cpuMs, others };
}

type Cpu = Round['cpuMs'];

/** Seconds of processor time. */
interface Used {
  readonly own: Cpu;
  readonly all: number;
}

function mapCpu(of: (name: keyof Cpu) => number): Cpu {
  return { server: of('server'), postgres: of('postgres'), stub: of('stub'), load: of('load') };
}

type Ends = ReadonlyMap<string, number>;

async function endsOf(world: World): Promise<Ends> {
  const rows = await world.query<{ state: string; count: string }>(
    'select state::text, count(*) as count from ended_calls group by state',
  );
  return new Map(rows.map(({ state, count }) => [state, Number(count)]));
}

/** Calls that have not ended. */
export async function unfinished(world: World): Promise<number> {
  const [row] = await world.query<{ count: string }>('select count(*) as count from unfinished_calls');
  return Number(row!.count);
}

/** The second witness: the hub's own tables say that every step ended, and none otherwise than well. */
async function endFaults(
  world: World,
  { before, open, expected }: { before: Ends; open: number; expected: number },
): Promise<string[]> {
  const giveUp = performance.now() + SETTLE * 1000;
  while ((await unfinished(world)) > open && performance.now() < giveUp)
    await new Promise((resolve) => setTimeout(resolve, 50));
  const left = (await unfinished(world)) - open;
  const after = await endsOf(world);
  const grew = [...after].map(([state, count]): [string, number] => [
    state,
    count - (before.get(state) ?? 0),
  ]);
  const faults = left > 0 ? [`${left} calls have not ended`] : [];
  for (const [state, count] of grew)
    if (state !== 'succeeded' && count > 0) faults.push(`${count} calls ended as ${state}`);
  const succeeded = new Map(grew).get('succeeded') ?? 0;
  if (succeeded !== expected) faults.push(`${succeeded} calls succeeded, ${expected} were to`);
  return faults;
}

/** Calls read back through the API, spread over all that were accepted. */
const SAMPLES = 20;

/** The third: what the API says of some of them. */
async function readingFaults(address: string, token: string, ids: readonly string[]): Promise<string[]> {
  const every = Math.max(1, Math.floor(ids.length / SAMPLES));
  const faults: string[] = [];
  for (const id of ids.filter((_, index) => index % every === 0)) {
    const response = await fetch(`${address}/api/v1/calls/${id}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { state, attempts } = (await response.json()) as { state?: string; attempts?: unknown[] };
    if (state !== 'succeeded' || attempts?.length !== 1)
      faults.push(`call ${id} reads as ${state ?? response.status} after ${attempts?.length} attempts`);
  }
  return faults;
}
