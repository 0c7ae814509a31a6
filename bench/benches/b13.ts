import { figure, median, type Figure } from '../measure/statistics.ts';
import { memoryOf } from '../measure/cpu.ts';
import type { Options } from '../options.ts';
import type { Child } from '../processes/child.ts';
import type { Findings } from '../report/result.ts';
import { hubRound, planOf, serverRound, type Round } from '../round.ts';
import { startWorld, type World } from '../world.ts';
import { checkedIn, runsPerSecond } from './figures.ts';

/** Rows of one transaction while the database is filled. */
const PORTION = 100_000;

interface Phase {
  readonly name: string;
  readonly hub: readonly Round[];
  readonly front: readonly Round[];
}

/**
 * B13: B5 in a database that grows: ended calls by the million, then calls that wait, then with a snapshot held open
 * beside it. Each phase is measured against the same front with no storage, so that phases can be compared.
 */
export async function b13(options: Options): Promise<Findings> {
  const world = await startWorld(options);
  try {
    const hub = await world.startHub({ nodeOptions: ['--expose-gc'] });
    const token = await world.makeToken(hub.ready);
    const front = await world.startFront('action');
    const phases: Phase[] = [];
    const measure = async (name: string): Promise<void> => {
      phases.push(await measurePhase(world, { hub, front, token, name }, options));
    };
    let filled = 0;
    for (const millions of options.millions) {
      await fill(world, millions * 1_000_000 - filled);
      filled = Math.max(filled, millions * 1_000_000);
      await measure(`${millions} M ended calls`);
    }
    const waiting = await addWaiting(world, hub, token, options);
    await measure(`… and ${options.waiting.toLocaleString('en')} waiting calls`);
    await withSnapshot(world, () => measure('… and an open snapshot'));
    return {
      title: 'B13: runs of 2 durable steps in a database that grows',
      postgres: world.facts,
      figures: [
        ...phases.map(({ name, hub: rounds }) => figure(name, 'runs/s', rounds.map(runsPerSecond))),
        ...phases.map((phase) => share(phase, phases[0]!)),
        ...phases.map(({ name, hub: rounds }) =>
          figure(
            `hub and PostgreSQL: ${name}`,
            'CPU ms/run',
            rounds.map(({ cpuMs }) => cpuMs.server + cpuMs.postgres),
          ),
        ),
        ...waiting,
      ],
      ...checkedIn(phases.flatMap((phase) => [...phase.hub, ...phase.front])),
    };
  } finally {
    await world.close();
  }
}

async function measurePhase(
  world: World,
  { hub, front, token, name }: { hub: Child<string>; front: Child<string>; token: string; name: string },
  options: Options,
): Promise<Phase> {
  const shape = { steps: 2, connections: options.connections, outstanding: options.outstanding };
  const rounds: { hub: Round[]; front: Round[] } = { hub: [], front: [] };
  for (let nth = 0; nth < options.repeat; nth++) {
    rounds.front.push(await serverRound(world, front, planOf(world, token, [front.ready], shape, options)));
    rounds.hub.push(await hubRound(world, hub, planOf(world, token, [hub.ready], shape, options)));
  }
  return { name, ...rounds };
}

/** How much of the first phase's rate is left, each taken as a share of its own baseline. */
function share(phase: Phase, first: Phase): Figure {
  const relative = ({ hub, front }: Phase): number[] =>
    hub.map((round, index) => runsPerSecond(round) / runsPerSecond(front[index]!));
  const base = median(relative(first));
  return figure(
    `of the first phase: ${phase.name}`,
    '%',
    relative(phase).map((value) => (100 * value) / base),
  );
}

/**
 * Ended calls as the engine leaves them, with ids of the last hour, so that they lie in the partitions the load writes
 * to. By statement: through the API it would take longer than everything else.
 */
async function fill(world: World, count: number): Promise<void> {
  for (let done = 0; done < count; done += PORTION)
    await world.query(
      `with made as materialized (
         select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint - (random() * 3600000)::bigint), 12, '0')
                 || '72' || substr(r, 1, 2) || '8' || substr(r, 3, 15))::uuid as call_id
         from (select md5(random()::text || i) as r from generate_series(1, $1::int) i) random_texts
       ), whose as (
         select tenant_id, principal_id from principals limit 1
       ), c as (
         insert into calls (tenant_id, call_id, retention, principal_id, action, target, input, run_id)
         select tenant_id, call_id, 2, principal_id, 'http/request', '127.0.0.1:1',
                '{"url":"http://127.0.0.1:1/s/1/2/0"}', call_id from made, whose
       ), a as (
         insert into attempts (tenant_id, call_id, retention, attempt, epoch, outcome, node_id, started_at, ended_at, output)
         select tenant_id, call_id, 2, 1, 1, 'succeeded', 1, now(), now(),
                '{"status":200,"url":"http://127.0.0.1:1/s/1/2/0","headers":{"content-type":"application/json"},"body":{"step":1},"bodyFormat":"json"}'
         from made, whose
       )
       insert into ended_calls (tenant_id, call_id, retention, action, state, attempts, principal_id, run_id)
       select tenant_id, call_id, 2, 'http/request', 'succeeded', 1, principal_id, call_id from made, whose`,
      [Math.min(PORTION, count - done)],
    );
  if (count <= 0) return;
  const owner = await world.connect();
  await owner.query('vacuum (analyze) calls, attempts, ended_calls');
  await owner.end();
}

/** Accepts calls that are due in an hour, through the API, and looks at what they cost the hub's memory. */
async function addWaiting(
  world: World,
  hub: Child<string>,
  token: string,
  { waiting, connections }: Options,
): Promise<Figure[]> {
  const before = await memory(hub);
  const body = '{"action":"http/request","input":{"url":"http://127.0.0.1:1/"},"delay":3600000}';
  const began = performance.now();
  await world.load.ask('postMany', { address: hub.ready, token, body, count: waiting, connections });
  const seconds = (performance.now() - began) / 1000;
  const after = await memory(hub);
  return [
    figure('heap of the hub, each waiting call', 'bytes', [(after.heap - before.heap) / waiting]),
    figure('memory of the hub, each waiting call', 'bytes', [(after.all - before.all) / waiting]),
    figure('waiting calls accepted', 'calls/s', [waiting / seconds]),
  ];
}

async function memory(hub: Child<string>): Promise<{ heap: number; all: number }> {
  await hub.ask('collect');
  const { heapUsed, rss } = await hub.ask<NodeJS.MemoryUsage>('memory');
  return { heap: heapUsed, all: memoryOf(hub.pid) ?? rss };
}

/** A reader that looks at the database as it was, for as long as the work takes. */
async function withSnapshot(world: World, work: () => Promise<void>): Promise<void> {
  const reader = await world.connect();
  try {
    await reader.query('set idle_in_transaction_session_timeout = 0');
    await reader.query('begin isolation level repeatable read');
    await reader.query('select count(*) from pg_class');
    await work();
    await reader.query('commit');
  } finally {
    await reader.end();
  }
}
