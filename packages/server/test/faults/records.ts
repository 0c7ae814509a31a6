import { Client } from 'pg';
import { clientConfig, type DatabaseTarget } from '../../src/platform/database/index.ts';
import { until } from './until.ts';

/** What the database says of a call. Exactly one of `end` and `open` is there, or something is wrong. */
export interface CallRecord {
  readonly id: string;
  readonly run: string | undefined;
  readonly step: string | undefined;
  readonly action: string;
  readonly group: string | undefined;
  readonly end: { readonly state: string; readonly attempts: number } | undefined;
  readonly open:
    { readonly state: string; readonly reason: string | null; readonly node: number | null } | undefined;
  /** In the order they were made. */
  readonly journal: readonly JournalRow[];
}

export interface JournalRow {
  readonly attempt: number;
  readonly epoch: number;
  readonly outcome: 'succeeded' | 'failed' | 'unknown' | 'waiting' | 'late';
  readonly output: string | null;
  readonly error: string | null;
}

/** Reads as the hub does, past the proxy. */
export async function query<Row>(
  target: DatabaseTarget,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new Client(clientConfig(target, 'linkspan_hub'));
  client.on('error', () => {}); // the query rejects as well
  await client.connect();
  try {
    return (await client.query(text, values)).rows as Row[];
  } finally {
    await client.end();
  }
}

/** Everything the database says of its calls, in one snapshot. */
export function readCalls(target: DatabaseTarget): Promise<CallRecord[]> {
  return query<CallRecord>(
    target,
    `select c.call_id as id, c.run_id as run, c.details::json ->> 'step' as step, c.action, c.group_id as "group",
       case when e.call_id is not null then json_build_object('state', e.state, 'attempts', e.attempts) end as end,
       case when u.call_id is not null then json_build_object('state', u.state, 'reason', u.reason, 'node', u.node_id) end as open,
       coalesce(a.journal, '[]') as journal
     from calls c
     left join ended_calls e on e.call_id = c.call_id
     left join unfinished_calls u on u.call_id = c.call_id
     left join (select call_id, json_agg(json_build_object('attempt', attempt, 'epoch', epoch, 'outcome', outcome,
                                                           'output', output, 'error', error) order by attempt, epoch) as journal
                from attempts group by call_id) a on a.call_id = c.call_id`,
  );
}

/** Waits until nothing goes on by itself any more: every call has ended or is held, and no group is due. */
export async function allQuiet(target: DatabaseTarget): Promise<void> {
  let left: unknown[] = [];
  try {
    await until('all is quiet', async () => {
      left = await query(
        target,
        `select 'call' as what, to_jsonb(u) as row from unfinished_calls u where state <> 'held'
         union all select 'group', to_jsonb(g) from call_groups g
         where not exists (select from unfinished_calls u where u.group_id = g.group_id)`,
      );
      return left.length === 0;
    });
  } catch (cause) {
    const nodes = await query(target, 'select clock_timestamp() as now, * from nodes');
    throw new Error(`${left.length} are left: ${JSON.stringify([left.slice(0, 5), nodes])}`, { cause });
  }
}
