// For tests of the engine: tenants, calls, and batches written by hand.
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import pg from 'pg';
import type { Scope } from '../../../test/support/database.ts';
import { systemClock } from '../../platform/clock.ts';
import { clientConfig, type Database, type DatabaseTarget } from '../../platform/database/index.ts';
import { newId } from '../../platform/ids.ts';
import { createLog } from '../../platform/log.ts';
import { callsStatement, type Accept, type Operation, type Written } from './batch.ts';
import { newCallId, type NewCall, type OwnedCall } from './call.ts';
import { RetentionKeeper } from './retention.ts';
import { registerNode } from './store.ts';

/** What is begun in the scope ends before the scope of the test does, the last first: nodes before their database. */
export function innerScope(t: Scope): Scope {
  const endings: (() => unknown)[] = [];
  t.after(async () => {
    for (let next = endings.pop(); next; next = endings.pop()) await next();
  });
  return { after: (work) => void endings.push(work as () => unknown) };
}

/** Reads until it holds. Nothing tells a test of a change in the database. */
export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await holds()); await sleep(10))
    if (Date.now() > end) throw new Error('It did not come to hold within 20 seconds.');
}

/** A tenant calls can belong to. */
export async function newTenant(database: Database): Promise<string> {
  const tenant = newId();
  await database.acrossTenants((tx) =>
    tx
      .insertInto('tenants')
      .values({ tenant_id: tenant, name: `t${tenant}` })
      .execute(),
  );
  return tenant;
}

export function aCall(tenant: string, more: Partial<NewCall> = {}): NewCall {
  return { tenant, action: 'test/idempotent', target: 'here', input: '{}', ...more };
}

export function anAccept(call: NewCall, more: Partial<Accept> = {}): Accept {
  return { id: newCallId(call.retention), call, lane: 1, owned: false, ...more };
}

/** A call as its owner has it, in its first attempt unless said otherwise. */
export function asOwned(accept: Accept, more: Partial<OwnedCall> = {}): OwnedCall {
  const { call, id } = accept;
  return {
    id,
    tenant: call.tenant,
    principal: call.principal,
    action: call.action,
    target: call.target,
    input: call.input,
    details: {},
    run: call.place?.run,
    group: call.group?.id,
    deadline: undefined,
    epoch: 1,
    attempt: 1,
    ...more,
  };
}

/** One connection that commits batches as a node does, each at once. */
export interface Batches {
  readonly node: number;
  commit(
    ...ops: (Omit<Operation, 'key' | 'accepts'> & { accepts?: readonly Accept[] })[]
  ): Promise<Written[]>;
  /** The connection itself, for transactions that stay open. */
  readonly client: pg.Client;
}

/** Registers a node with a lease of a minute, and makes the partitions as a node does before its first call. */
export async function openBatches(t: Scope, database: Database): Promise<Batches> {
  const log = createLog({ level: 'silent' });
  await new RetentionKeeper({ target: database.target, clock: systemClock, log }).keep();
  const node = await database.acrossTenants((tx) => registerNode(tx, 60_000));
  const client = await connect(t, database.target);
  const statement = callsStatement(() => node);
  return {
    node,
    client,
    async commit(...parts) {
      const ops = parts.map((part, index) => ({ key: String(index), accepts: [], ...part }));
      const { rows } = await client.query<Record<string, unknown>>({
        name: statement.name,
        text: statement.text,
        values: statement.values(ops),
      });
      return statement.results(ops, rows);
    },
  };
}

async function connect(t: Scope, target: DatabaseTarget): Promise<pg.Client> {
  const client = new pg.Client(clientConfig(target, 'linkspan_hub'));
  client.on('error', () => {}); // the query under way rejects as well
  await client.connect();
  t.after(() => client.end().catch(() => {}));
  return client;
}

/** What the database holds of calls, without times, in the order of their ids. */
export async function rowsOf(database: Database) {
  const read = <R>(text: string) =>
    database.acrossTenants(async (tx) => (await sql.raw<R>(text).execute(tx)).rows);
  return {
    calls: await read<{ call_id: string }>('select call_id from calls order by 1'),
    unfinished: await read<{
      call_id: string;
      state: string;
      epoch: number;
      attempt: number;
      node_id: number | null;
      ready: boolean;
      reason: string | null;
    }>('select call_id, state, epoch, attempt, node_id, ready, reason from unfinished_calls order by 1'),
    ended: await read<{
      call_id: string;
      state: string;
      reason: string | null;
      attempts: number;
      action: string;
    }>('select call_id, state, reason, attempts, action from ended_calls order by 1'),
    attempts: await read<{ call_id: string; attempt: number; epoch: number; outcome: string }>(
      'select call_id, attempt, epoch, outcome from attempts order by 1, 2, 3',
    ),
    groups: await read<{ group_id: string; pending: number; emptied: boolean }>(
      'select group_id, pending, emptied is not null as emptied from call_groups order by 1',
    ),
    keys: await read<{ call_id: string }>('select call_id from idempotency_keys order by 1'),
    audited: await read<{ target: string }>('select target from audit_entries order by 1'),
  };
}
