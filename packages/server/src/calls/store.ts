import { sql } from 'kysely';
import type { Transaction } from '../platform/database/index.ts';
import { retentionOf, type CallDetails, type CallState } from './engine/index.ts';

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
