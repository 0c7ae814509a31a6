import { setTimeout as pause } from 'node:timers/promises';
import type { LoadReport } from '../load.ts';
import { figure, percentile } from '../measure/statistics.ts';
import type { Options } from '../options.ts';
import type { Child } from '../processes/child.ts';
import type { Findings } from '../report/result.ts';
import { planOf, unfinished } from '../round.ts';
import { inputOf } from '../step.ts';
import { verify, type Served, type Verdict } from '../verify.ts';
import { startWorld, type World } from '../world.ts';

/** Seconds between two faults. */
const EVERY = 4;

/** Seconds in which the hub has to end what the faults left behind. */
const SETTLE = 60;

/** PostgreSQL is started again at once, as often as it is ended. */
const RETRIES = Array.from({ length: 1_000 }, () => 0);

type Fault = { readonly kind: 'node' | 'postgres'; readonly at: number };

interface Outcome {
  readonly report: LoadReport;
  readonly log: readonly Served[];
  readonly faults: readonly Fault[];
  readonly left: number;
}

/**
 * B10: B5 on two nodes, while every few seconds one of them is killed and started again, or PostgreSQL is. Who judges is
 * the stub's log: no accepted run may lack a step, and no step may be made again once the next one has begun.
 */
export async function b10(options: Options): Promise<Findings> {
  const world = await startWorld(options, { retries: RETRIES });
  try {
    const nodes = [await world.startHub(), await world.startHub()];
    const token = await world.makeToken(nodes[0]!.ready);
    const outcomes: Outcome[] = [];
    const verdicts: Verdict[] = [];
    const faults: string[] = [];
    for (let nth = 0; nth < options.repeat; nth++) {
      const outcome = await disturbed(world, nodes, token, options);
      const verdict = verify(outcome.log, outcome.report, { steps: 2, faults: true });
      outcomes.push(outcome);
      verdicts.push(verdict);
      faults.push(...verdict.faults, ...(await journalFaults(world, verdict)));
      if (outcome.left > 0) faults.push(`${outcome.left} calls have not ended: ${await statesOf(world)}`);
    }
    return {
      title: 'B10: runs of 2 durable steps while nodes and PostgreSQL are killed',
      postgres: world.facts,
      figures: [
        figure('longest silence after a fault', 's', outcomes.map(longestSilence)),
        figure(
          'cut-off runs went on after, p99',
          's',
          outcomes.map((outcome) => percentile(cutOff(outcome), 0.99)),
        ),
        figure(
          'cut-off runs went on after, at most',
          's',
          outcomes.map((outcome) => Math.max(...cutOff(outcome))),
        ),
        figure(
          'runs under faults',
          'runs/s',
          outcomes.map(({ report }) => report.ranInTime / report.seconds),
        ),
      ],
      checked: {
        'nodes killed': count(outcomes, 'node'),
        'PostgreSQL restarts': count(outcomes, 'postgres'),
        'runs accepted': sum(verdicts, ({ accepted }) => accepted),
        'requests unanswered': sum(outcomes, ({ report }) => report.unanswered.length),
        'steps served': sum(verdicts, ({ served }) => served),
        'attempts that died and were made again': sum(verdicts, ({ again }) => again),
      },
      faults,
    };
  } finally {
    await world.close();
  }
}

async function disturbed(
  world: World,
  nodes: Child<string>[],
  token: string,
  options: Options,
): Promise<Outcome> {
  const { connections, outstanding, warm, seconds } = options;
  const addresses = nodes.map(({ ready }) => ready);
  const plan = planOf(world, token, addresses, { steps: 2, connections, outstanding }, options);
  await world.stub.ask('take');
  const running = world.load.ask<LoadReport>('load', plan);
  const ended = Date.now() + (warm + seconds) * 1000;
  const faults: Fault[] = [];
  await pause(warm * 1000);
  for (let nth = 0; Date.now() + EVERY * 1000 < ended; nth++) {
    await pause(EVERY * 1000);
    faults.push(
      await (nth % 2 === 1 ? restartPostgres(world) : killNode(world, nodes, (nth / 2) % nodes.length)),
    );
  }
  const report = await running;
  const giveUp = Date.now() + SETTLE * 1000;
  while ((await unfinished(world)) > 0 && Date.now() < giveUp) await pause(100);
  const log = await world.stub.ask<Served[]>('take');
  return { report, log, faults, left: await unfinished(world) };
}

async function killNode(world: World, nodes: Child<string>[], index: number): Promise<Fault> {
  const node = nodes[index]!;
  const at = Date.now();
  await node.kill();
  nodes[index] = await world.startHub({ port: Number(new URL(node.ready).port) });
  return { kind: 'node', at };
}

/** Ended without a word to anyone, as by a failing machine; its parent starts it again. */
async function restartPostgres({ postgres }: World): Promise<Fault> {
  const at = Date.now();
  process.kill(postgres.pid, 'SIGQUIT');
  return { kind: 'postgres', at };
}

/** Seconds from each fault until the stub was asked for anything again, the longest. */
function longestSilence({ log, faults }: Outcome): number {
  const times = log.map(({ at }) => at).toSorted((a, b) => a - b);
  let longest = 0;
  for (const { at } of faults)
    for (let index = times.findIndex((time) => time >= at); index < times.length; index++) {
      if (times[index]! > at + EVERY * 1000) break;
      longest = Math.max(longest, times[index]! - Math.max(at, times[index - 1] ?? at));
    }
  return longest / 1000;
}

/** Of each run that a fault met between two of its requests: seconds from the fault to the next request. */
function cutOff({ log, faults }: Outcome): number[] {
  const delays: number[] = [];
  for (const served of Map.groupBy(log, ({ key }) => key).values())
    for (const { at } of faults) {
      const next = served.findIndex((one) => one.at >= at);
      if (next > 0) delays.push((served[next]!.at - at) / 1000);
    }
  return delays.length === 0 ? [0] : delays;
}

/**
 * A step that was served twice must have been attempted twice, and every attempt but the last must have died unrecorded.
 * This also covers last steps, which nothing in the stub's log follows.
 */
async function journalFaults(world: World, { repeats }: Verdict): Promise<string[]> {
  const stub = `http://127.0.0.1:${world.stub.ready}`;
  const byInput = new Map(
    repeats.map(({ key, step, times }) => [inputOf(stub, { key, step, last: 2 }), { key, step, times }]),
  );
  const rows = await world.query<{ input: string; outcomes: string[] }>(
    `select c.input, array_agg(a.outcome order by a.attempt, a.epoch) as outcomes
     from calls c join attempts a using (retention, call_id) where c.input = any ($1) group by c.input`,
    [[...byInput.keys()]],
  );
  const faults: string[] = [];
  for (const { input, outcomes } of rows) {
    const { key, step, times } = byInput.get(input)!;
    const unrecorded = outcomes.filter((outcome) => outcome === 'unknown' || outcome === 'failed').length;
    if (times > unrecorded + 1)
      faults.push(
        `repeated: step ${step} of run ${key} was made ${times} times, the journal has ${outcomes.join(', ')}`,
      );
  }
  if (rows.length < byInput.size) faults.push(`${byInput.size - rows.length} repeated steps have no journal`);
  return faults;
}

async function statesOf(world: World): Promise<string> {
  const rows = await world.query<{ state: string; reason: string | null; count: string }>(
    'select state::text, reason, count(*) as count from unfinished_calls group by state, reason',
  );
  return rows.map(({ state, reason, count: many }) => `${many} ${state} ${reason ?? ''}`.trim()).join(', ');
}

function count(outcomes: readonly Outcome[], kind: Fault['kind']): number {
  return sum(outcomes, ({ faults }) => faults.filter((fault) => fault.kind === kind).length);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((all, item) => all + of(item), 0);
}
