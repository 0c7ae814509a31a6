// The commands of the model-based test, and the two nodes they are given to.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { sql } from 'kysely';
import type { Scope } from '../../../test/support/database.ts';
import type { Database } from '../../platform/database/index.ts';
import { newId } from '../../platform/ids.ts';
import type { NewCall } from './call.ts';
import type { Continuations } from './continuation.ts';
import { aCall, newTenant } from './engine.testing.ts';
import type { Answer } from './engine.ts';
import { judge } from './model.testing.ts';
import type { Outcome } from './outcome.ts';
import { Outside, startNode, type Node } from './two-nodes.testing.ts';

const KINDS = [
  'plain', 'plain', 'delayed', 'deadline', 'run-at-once', 'run-later', 'run-throws', 'group', 'group', 'keyed', 'replace', 'if_not_running',
] as const; // prettier-ignore
const REPEATABLE = ['idempotent', 'keyed', 'probed', 'never'] as const;

/** What clients asked of a call, and what they were told. */
interface Dealings {
  retries: number;
  /** Outputs given as answers, and those that were said to have continued the call. */
  readonly given: string[];
  readonly won: string[];
  refused: boolean;
  cancelled: boolean;
}

/** What clients know. */
export class Model {
  readonly accepted = new Set<string>();
  /** Calls that the one idempotency key of all clients led to. */
  readonly keyed = new Set<string>();
  readonly #dealings = new Map<string, Dealings>();

  with(id: string): Dealings {
    let dealings = this.#dealings.get(id);
    if (!dealings)
      this.#dealings.set(
        id,
        (dealings = { retries: 0, given: [], won: [], refused: false, cancelled: false }),
      );
    return dealings;
  }
}

export class World {
  readonly outside = new Outside();
  readonly told = new Map<string, string[]>();
  readonly crashed = new Set<string>();
  /** Requests under way; a node that stands still answers later. */
  readonly requests = new Set<Promise<unknown>>();
  readonly database: Database;
  readonly tenant: string;
  readonly principal = newId();
  readonly group = { id: newId(), details: 'throws once' };
  nodes: Node[] = [];
  #born = 0;
  readonly #scope: Scope;
  readonly #thrown = new Set<string>();

  private constructor(scope: Scope, database: Database, tenant: string) {
    this.#scope = scope;
    this.database = database;
    this.tenant = tenant;
  }

  static async open(scope: Scope, database: Database): Promise<World> {
    const world = new World(scope, database, await newTenant(database));
    world.nodes = [await world.birth(), await world.birth()];
    return world;
  }

  birth(): Promise<Node> {
    const name = `node-${this.#born++}`;
    return startNode(this.#scope, this.database.target, this.outside, name, {
      continuations: this.#continuations(),
      ended: ({ call, state }) => this.told.set(call.id, [...(this.told.get(call.id) ?? []), state]),
    });
  }

  /** What follows names what it follows, so that it can be counted. */
  #continuations(): Continuations {
    const next = (context: object): NewCall[] => [aCall(this.tenant, { action: 'test/idempotent', context })];
    return {
      callEnded: ({ call }) => {
        const { how } = call.details.context as { how: string };
        if (how === 'run-at-once') return next({ after: call.id });
        if (how === 'run-throws') this.#throwOnce(call.id);
        return sleep(5, next({ after: call.id }));
      },
      groupEnded: ({ id }) => {
        this.#throwOnce(id);
        return next({ join: id });
      },
    };
  }

  #throwOnce(id: string): void {
    if (this.#thrown.has(id)) return;
    this.#thrown.add(id);
    throw new Error('not the first time');
  }

  node(nth: number): Node {
    return this.nodes[nth % this.nodes.length]!;
  }

  /** A client's request. One that fails says nothing of what became of it. */
  request(work: () => Promise<unknown>): void {
    const settled = Promise.allSettled([work()]).finally(() => this.requests.delete(settled));
    this.requests.add(settled);
  }

  /** What has not ended: calls, and groups that were not carried on. */
  async states(): Promise<{ id: string; state: string }[]> {
    const { rows } = await this.database.acrossTenants((tx) =>
      sql<{ id: string; state: string }>`
        select call_id as id, state::text from unfinished_calls where tenant_id = ${this.tenant}
        union all select group_id, 'group' from call_groups where tenant_id = ${this.tenant} order by 1`.execute(
        tx,
      ),
    );
    return rows;
  }
}

type Command = fc.AsyncCommand<Model, World>;

function command(name: string, run: (model: Model, world: World) => void | Promise<void>): Command {
  return { check: () => true, run: async (model, world) => run(model, world), toString: () => name };
}

const accept = (node: number, kind: (typeof KINDS)[number], repeatable: string): Command =>
  command(`accept(${node}, ${kind}, ${repeatable})`, (model, world) => {
    const more: Partial<NewCall> = {
      plain: {},
      delayed: { delay: 15 },
      deadline: { deadline: 30 },
      'run-at-once': { place: { run: newId() }, context: { how: kind } },
      'run-later': { place: { run: newId() }, context: { how: kind } },
      'run-throws': { place: { run: newId() }, context: { how: kind } },
      group: { group: world.group },
      keyed: { principal: world.principal, once: { key: digest('key'), body: digest('body'), life: 60_000 } },
      replace: { job: { key: world.tenant, mode: 'replace' as const } },
      if_not_running: { job: { key: world.tenant, mode: 'if_not_running' as const } },
    }[kind];
    const call = aCall(world.tenant, { action: `test/${repeatable}`, ...more });
    world.request(async () => {
      const { id, result } = await world.node(node).engine.accept(call);
      const known = result.kind === 'joined' ? result.other : id;
      model.accepted.add(known);
      if (kind === 'keyed') model.keyed.add(known);
    });
  });

const OUTCOMES: Record<string, (nth: number) => Outcome> = {
  succeeded: (nth) => ({ kind: 'succeeded', output: `"out ${nth}"` }),
  transient: () => ({ kind: 'failed', error: { code: 'busy', message: 'Busy.', retry: 'transient' } }),
  permanent: () => ({ kind: 'failed', error: { code: 'no', message: 'No.', retry: 'permanent' } }),
  unknown: () => ({ kind: 'unknown', error: { code: 'cut', message: 'Cut.', retry: 'transient' } }),
  waiting: () => ({ kind: 'waiting', forAtMost: 60_000 }),
  unstorable: () => ({ kind: 'succeeded', output: 'a\0b' }),
};

const settle = (nth: number, how: string): Command =>
  command(`settle(${nth}, ${how})`, (_, { outside }) => {
    const open = outside.open();
    open[nth % Math.max(1, open.length)]?.settle(OUTCOMES[how]!(outside.executions.length));
  });

/** Answers what waits or is held, once or by several at a time. */
const answer = (nth: number, node: number, kind: Answer['kind'], times: number): Command =>
  command(`answer(${nth}, ${node}, ${kind} × ${times})`, async (model, world) => {
    const open = (await world.states()).filter(({ state }) => state === 'waiting' || state === 'held');
    const one = open[nth % Math.max(1, open.length)];
    if (!one) return;
    for (let time = 0; time < times; time++) ask(model, world, node + time, one, kind, `"answer ${newId()}"`);
  });

function ask(
  model: Model,
  world: World,
  node: number,
  one: { id: string; state: string },
  kind: Answer['kind'],
  output: string,
): void {
  const from = one.state as 'waiting' | 'held';
  const given: Answer =
    kind === 'failed' || (kind === 'retry' && from === 'waiting')
      ? { kind: 'failed', error: { code: 'refused', message: 'Refused.', retry: 'permanent' } }
      : kind === 'retry'
        ? { kind }
        : { kind: 'succeeded', output };
  const dealings = model.with(one.id);
  if (given.kind === 'retry') dealings.retries++;
  if (given.kind === 'failed') dealings.refused = true;
  if (given.kind === 'succeeded') dealings.given.push(given.output);
  world.request(async () => {
    const won = await world.node(node).engine.answer(world.tenant, one.id, from, given);
    if (won && given.kind !== 'retry')
      dealings.won.push(given.kind === 'succeeded' ? given.output : 'failed');
  });
}

const cancel = (nth: number, node: number): Command =>
  command(`cancel(${nth}, ${node})`, async (model, world) => {
    const open = (await world.states()).filter(({ state }) => state !== 'group');
    const one = open[nth % Math.max(1, open.length)];
    if (!one) return;
    model.with(one.id).cancelled = true;
    world.request(() => world.node(node).engine.cancel(world.tenant, one.id));
  });

const crash = (node: number): Command =>
  command(`crash(${node})`, async (_, world) => {
    const dying = world.node(node);
    world.crashed.add(dying.name);
    world.request(() => dying.crash());
    world.nodes[node % world.nodes.length] = await world.birth();
  });

const endLease = (node: number): Command =>
  command(`endLease(${node})`, async (_, { database }) => {
    await database.acrossTenants((tx) =>
      sql`update nodes set lease_until = '-infinity' where node_id in
            (select node_id from nodes where lease_until > clock_timestamp() order by node_id offset ${node % 2} limit 1)`.execute(
        tx,
      ),
    );
  });

const nth = fc.nat(20);
const which = fc.nat(1);

export const commands = (size: fc.SizeForArbitrary): fc.Arbitrary<Iterable<Command>> =>
  fc.commands(
    [
      fc.tuple(which, fc.constantFrom(...KINDS), fc.constantFrom(...REPEATABLE)).map((args) => accept(...args)),
      fc.tuple(which, fc.constantFrom(...KINDS), fc.constantFrom(...REPEATABLE)).map((args) => accept(...args)),
      fc.tuple(nth, fc.constantFrom(...Object.keys(OUTCOMES))).map((args) => settle(...args)),
      fc.tuple(nth, fc.constantFrom(...Object.keys(OUTCOMES))).map((args) => settle(...args)),
      fc.tuple(nth, which, fc.constantFrom('succeeded' as const, 'failed' as const, 'retry' as const), fc.integer({ min: 1, max: 3 })).map((args) => answer(...args)),
      fc.tuple(nth, which).map((args) => cancel(...args)),
      which.map((node) => command(`pause(${node})`, (_, world) => world.node(node).wire.pause())),
      which.map((node) => command(`resume(${node})`, (_, world) => world.node(node).wire.resume())),
      which.map((node) => command(`loseAnswer(${node})`, (_, world) => world.node(node).wire.loseNextAnswer())),
      which.map(endLease),
      which.map(crash),
      fc.nat(40).map((ms) => command(`pass(${ms})`, () => sleep(ms))),
      fc.nat(2).map((times) => command(`pass(${times} leases)`, () => sleep(times * 350))),
    ],
    { maxCommands: 40, size },
  ); // prettier-ignore

/** Lets everything come to its end: nodes go on, the outside answers, persons decide. */
export async function finish(model: Model, world: World): Promise<void> {
  for (const node of world.nodes) node.wire.resume();
  const until = Date.now() + 30_000;
  for (;;) {
    for (const one of world.outside.open()) one.settle({ kind: 'succeeded', output: '"in the end"' });
    const requests = world.requests.size;
    const open = await world.states();
    if (open.length === 0 && requests === 0) return;
    assert.ok(Date.now() < until, `stuck: ${JSON.stringify({ open, requests })}`);
    for (const one of open)
      if (one.state === 'waiting' || one.state === 'held')
        ask(model, world, 0, one, 'succeeded', `"last ${newId()}"`);
    await sleep(10);
  }
}

/** Judges every call of the tenant, and counts what followed. */
export async function judgeAll(model: Model, world: World): Promise<void> {
  const read = async <R>(text: string): Promise<R[]> => {
    const { rows } = await world.database.acrossTenants((tx) =>
      sql<R>`${sql.raw(text)} where tenant_id = ${world.tenant}`.execute(tx),
    );
    return rows;
  };
  type Id = { id: string };
  const calls = await read<
    Id & {
      details: string | null;
      run: string | null;
      group: string | null;
      action: string;
      deadline: Date | null;
    }
  >('select call_id as id, details, run_id as run, group_id as group, action, deadline from calls');
  const ends = await read<Id & { state: string; attempts: number; reason: string | null }>(
    'select call_id as id, state, attempts, reason from ended_calls',
  );
  const journal = await read<Id & { attempt: number; epoch: number; outcome: string; output: string | null }>(
    'select call_id as id, attempt, epoch, outcome, output from attempts',
  );
  const unfinished = await read<Id>('select call_id as id from unfinished_calls');
  const made = new Set(calls.map(({ id }) => id));
  for (const id of model.accepted) assert.ok(made.has(id), `${id} was accepted and is nowhere`);
  assert.ok(
    world.outside.executions.every(({ call }) => made.has(call)),
    'only what was accepted is executed',
  );

  for (const { id, action, deadline } of calls) {
    const { retries, given, won, refused, cancelled } = model.with(id);
    const of = <R extends Id>(rows: readonly R[]): R[] => rows.filter((row) => row.id === id);
    const replaced = of(ends).some(({ reason }) => reason === 'replaced');
    judge(
      id,
      {
        executions: world.outside.of(id).map(({ attempt, epoch, outcome, node }) => ({
          attempt,
          epoch,
          settled: outcome?.kind,
          output: outcome?.kind === 'succeeded' ? outcome.output : undefined,
          crashed:
            world.crashed.has(node) || (outcome?.kind === 'succeeded' && outcome.output.includes('\0')),
        })),
        repeatable: action.split('/')[1] ?? '',
        retries,
        given,
        won,
        refused,
        cancelAsked: cancelled || replaced,
        mayExpire: deadline !== null,
        told: world.told.get(id) ?? [],
      },
      { ends: of(ends), unfinished: of(unfinished).length, journal: of(journal) },
    );
  }
  assert.ok(model.keyed.size <= 1, 'a key leads to one call');
  const followers = (key: 'after' | 'join', id: string): number =>
    calls.filter(({ details }) => details?.includes(`"${key}":"${id}"`)).length;
  for (const { id, run } of calls)
    assert.equal(followers('after', id), run === null ? 0 : 1, `what follows ${id}`);
  const joins = followers('join', world.group.id);
  const members = calls.filter(({ group }) => group !== null).length;
  assert.ok(members === 0 ? joins === 0 : joins >= 1 && joins <= members, `${joins} joins of ${members}`);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
