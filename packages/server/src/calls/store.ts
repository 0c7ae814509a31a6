import { sql } from 'kysely';
import type { Transaction } from '../platform/database/index.ts';
import { retentionOf, type CallDetails, type CallState, type EndState } from './engine/index.ts';
import { lowestIdAt, type CallFilter } from './filter.ts';
import type { End } from './result.ts';

/** What the API reads of calls; the engine writes them. */

export interface StoredCall {
  readonly id: string;
  readonly action: string;
  readonly target: string;
  readonly principal: string | null;
  readonly run: string | null;
  readonly details: CallDetails;
  readonly createdAt: Date;
  readonly deadline: Date | null;
  readonly state: CallState;
  readonly reason: string | null;
  /** When the next attempt is due, or a wait is over. */
  readonly due: Date | null;
  readonly endedAt: Date | null;
}

export interface StoredAttempt {
  readonly attempt: number;
  readonly outcome: string;
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly output: string | null;
  readonly error: string | null;
}

/**
 * A call of the tenant, with where it stands and its journal in the order its attempts ended; undefined when there is
 * none. One statement, so that state and journal are of one moment.
 */
export async function readCall(
  tx: Transaction,
  tenant: string,
  id: string,
): Promise<{ call: StoredCall; attempts: StoredAttempt[] } | undefined> {
  const { rows } = await sql<Row>`
    select c.call_id as id, c.action, c.target, c.principal_id as principal, c.run_id as run, c.details,
           c.created_at as "createdAt", c.deadline, coalesce(e.state, u.state) as state,
           coalesce(e.reason, u.reason) as reason, u.due, e.ended_at as "endedAt", j.attempts
    from calls c
    left join unfinished_calls u on u.call_id = c.call_id
    left join ended_calls e on e.retention = c.retention and e.call_id = c.call_id
    cross join lateral (
      select json_agg(json_build_object(
               'attempt', a.attempt, 'outcome', a.outcome, 'startedAt', a.started_at, 'endedAt', a.ended_at,
               'output', a.output, 'error', a.error) order by a.attempt, a.epoch) as attempts
      from attempts a
      where a.retention = c.retention and a.call_id = c.call_id
    ) j
    where c.retention = ${retentionOf(id)} and c.call_id = ${id} and c.tenant_id = ${tenant}`.execute(tx);
  const row = rows[0];
  if (!row) return undefined;
  const { attempts, details, ...call } = row;
  return {
    call: { ...call, details: details === null ? {} : (JSON.parse(details) as CallDetails) },
    attempts: (attempts ?? []).map((attempt) => ({
      ...attempt,
      startedAt: new Date(attempt.startedAt),
      endedAt: new Date(attempt.endedAt),
    })),
  };
}

type Row = Omit<StoredCall, 'details'> & {
  readonly details: string | null;
  readonly attempts:
    | readonly (Omit<StoredAttempt, 'startedAt' | 'endedAt'> & {
        readonly startedAt: string;
        readonly endedAt: string;
      })[]
    | null;
};

/** How a call of the tenant ended; undefined when it has not, or there is none. */
export async function readEnd(tx: Transaction, tenant: string, id: string): Promise<End | undefined> {
  const { rows } = await sql<{
    state: EndState;
    details: string | null;
    output: string | null;
    error: string | null;
  }>`
    select e.state, c.details, a.output, a.error
    from ended_calls e
    join calls c on c.retention = e.retention and c.call_id = e.call_id
    left join lateral (
      select output, error from attempts
      where retention = e.retention and call_id = e.call_id and outcome <> 'late'
      order by attempt desc, epoch desc limit 1
    ) a on true
    where e.retention = ${retentionOf(id)} and e.call_id = ${id} and e.tenant_id = ${tenant}`.execute(tx);
  const row = rows[0];
  if (!row) return undefined;
  const { context } = row.details === null ? {} : (JSON.parse(row.details) as CallDetails);
  return { id, state: row.state, output: row.output ?? undefined, error: row.error ?? undefined, context };
}

/** A call as lists know it: without input, output and error. */
export interface ListedCall {
  readonly id: string;
  readonly action: string;
  readonly principal: string | null;
  readonly run: string | null;
  readonly state: CallState;
  readonly reason: string | null;
  readonly attempts: number;
  readonly endedAt: Date | null;
}

/** Calls of one page, the newest first, and where the look went no further. */
export interface ListedPage {
  readonly calls: ListedCall[];
  /** Everything from this id on was looked at; undefined when that is everything there is. */
  readonly lowest: string | undefined;
}

/**
 * Calls of the tenant that the filter lets through, unfinished and ended, the newest first. `most` bounds how many of
 * either are looked at, whatever the filter lets through. One statement, so that no call is seen in between.
 */
export async function listCalls(
  tx: Transaction,
  tenant: string,
  filter: CallFilter,
  most: number,
): Promise<ListedPage> {
  const { after, from, to, state, action, principal } = filter;
  const within = sql`tenant_id = ${tenant}
    ${after === undefined ? sql`` : sql`and call_id < ${after}`}
    ${from === undefined ? sql`` : sql`and call_id >= ${lowestIdAt(from)}`}
    ${to === undefined ? sql`` : sql`and call_id < ${lowestIdAt(to)}`}`;
  const { rows } = await sql<ListedCall & { lowest: string | null }>`
    with ended as materialized (
      select call_id, action, principal_id, run_id, state, reason, attempts, ended_at from ended_calls
      where ${within} order by call_id desc limit ${most}
    ), unfinished as materialized (
      select call_id, state, reason, attempt from unfinished_calls
      where ${within} order by call_id desc limit ${most}
    ), horizon as (
      select greatest((select call_id from ended order by call_id desc offset ${most - 1} limit 1),
                      (select call_id from unfinished order by call_id desc offset ${most - 1} limit 1)) as lowest
    ), found as (
      select * from ended
      union all
      select u.call_id, c.action, c.principal_id, c.run_id,
             case when u.state = 'continuing' then 'running' else u.state end,
             case when u.state = 'continuing' then null else u.reason end, u.attempt, null
      from unfinished u join calls c on c.retention = retention_of(u.call_id) and c.call_id = u.call_id
    )
    select f.call_id as id, f.action, f.principal_id as principal, f.run_id as run, f.state, f.reason, f.attempts,
           f.ended_at as "endedAt", h.lowest
    from horizon h left join found f on (h.lowest is null or f.call_id >= h.lowest)
      ${state === undefined ? sql`` : sql`and f.state = ${state}`}
      ${action === undefined ? sql`` : sql`and f.action = ${action}`}
      ${principal === undefined ? sql`` : sql`and f.principal_id = ${principal}`}
    order by f.call_id desc`.execute(tx);
  return {
    // Where nothing was found the only row tells how far the look went.
    calls: rows.filter(({ id }) => id !== null),
    lowest: rows[0]?.lowest ?? undefined,
  };
}

/** A call that waits for a person, with what they have to know. */
export interface HeldCall {
  readonly id: string;
  readonly action: string;
  readonly target: string;
  readonly principal: string | null;
  readonly reason: string | null;
  readonly attempts: number;
  readonly deadline: Date | null;
  /** JSON text of the error of its last attempt. */
  readonly error: string | null;
}

/** Held calls of the tenant, the newest first. */
export async function listHeld(
  tx: Transaction,
  tenant: string,
  { after, limit }: { after: string | undefined; limit: number },
): Promise<HeldCall[]> {
  const { rows } = await sql<HeldCall>`
    select u.call_id as id, c.action, c.target, c.principal_id as principal, u.reason, u.attempt as attempts, u.deadline,
           (select a.error from attempts a
            where a.retention = c.retention and a.call_id = c.call_id and a.outcome <> 'late'
            order by a.attempt desc, a.epoch desc limit 1) as error
    from unfinished_calls u join calls c on c.retention = retention_of(u.call_id) and c.call_id = u.call_id
    where u.tenant_id = ${tenant} and u.state = 'held'
      ${after === undefined ? sql`` : sql`and u.call_id < ${after}`}
    order by u.call_id desc limit ${limit}`.execute(tx);
  return rows;
}

/** What has to be known of a call in order to do it again. */
export interface PastCall {
  readonly id: string;
  readonly action: string;
  /** JSON text, with null for what is secret. */
  readonly input: string;
  readonly details: CallDetails;
  /** Milliseconds it was given from its acceptance on. */
  readonly deadline: number | null;
}

/** Which of these calls of the tenant there are, and whether each has ended. */
export async function readStates(
  tx: Transaction,
  tenant: string,
  ids: readonly string[],
): Promise<Map<string, { ended: boolean }>> {
  const { rows } = await sql<{ id: string; ended: boolean }>`
    select i.id, e.call_id is not null as ended
    from unnest(${ids}::uuid[]) as i(id)
    left join ended_calls e on e.retention = retention_of(i.id) and e.call_id = i.id and e.tenant_id = ${tenant}
    left join unfinished_calls u on u.call_id = i.id and u.tenant_id = ${tenant}
    where e.call_id is not null or u.call_id is not null`.execute(tx);
  return new Map(rows.map(({ id, ended }) => [id, { ended }]));
}

/** Ended calls of the tenant with their inputs, in the order of the ids. */
export async function readPast(tx: Transaction, tenant: string, ids: readonly string[]): Promise<PastCall[]> {
  const { rows } = await sql<Omit<PastCall, 'details'> & { details: string | null }>`
    select c.call_id as id, c.action, c.input, c.details,
           (extract(epoch from c.deadline - c.created_at) * 1000)::float8 as deadline
    from unnest(${ids}::uuid[]) with ordinality as i(id, nth)
    join calls c on c.retention = retention_of(i.id) and c.call_id = i.id
    where c.tenant_id = ${tenant}
    order by i.nth`.execute(tx);
  return rows.map(({ details, ...call }) => ({
    ...call,
    details: details === null ? {} : (JSON.parse(details) as CallDetails),
  }));
}
