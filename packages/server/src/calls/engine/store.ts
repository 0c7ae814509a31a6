import { sql } from 'kysely';
import type { Transaction } from '../../platform/database/index.ts';
import { retentionOf, type CallDetails, type CallState, type OwnedCall } from './call.ts';
import type { JournalEntry } from './batch.ts';

/** Every statement of the engine beside `commit_calls`: claims, adoption, leases and look-ups. */

/** A call this node has just taken over, with the state it was found in. */
export interface Claimed {
  readonly call: OwnedCall;
  readonly state: CallState;
  readonly reason: string | undefined;
  readonly crashes: number;
}

interface CallRow {
  call_id: string;
  tenant_id: string;
  principal_id: string | null;
  action: string;
  target: string;
  input: string;
  details: string | null;
  run_id: string | null;
  group_id: string | null;
  deadline: Date | null;
  epoch: number;
  attempt: number;
  state: CallState;
  reason: string | null;
  crashes: number;
}

const CALL = sql`c.call_id, c.tenant_id, c.principal_id, c.action, c.target, c.input, c.details, c.run_id, c.group_id,
  c.deadline, u.epoch, u.attempt, u.state, u.reason, u.crashes`;

function claimedOf(row: CallRow): Claimed {
  return {
    call: {
      id: row.call_id,
      tenant: row.tenant_id,
      principal: row.principal_id ?? undefined,
      action: row.action,
      target: row.target,
      input: row.input,
      details: row.details === null ? {} : (JSON.parse(row.details) as CallDetails),
      run: row.run_id ?? undefined,
      group: row.group_id ?? undefined,
      deadline: row.deadline?.getTime(),
      epoch: row.epoch,
      attempt: row.attempt,
    },
    state: row.state,
    reason: row.reason ?? undefined,
    crashes: row.crashes,
  };
}

/** Only a node whose lease holds takes anything over (engine rule 5). */
const living = (node: number) =>
  sql`exists (select from nodes n where n.node_id = ${node} and n.lease_until > clock_timestamp())`;

export interface ClaimOptions {
  readonly node: number;
  /** Calls wanted at most. */
  readonly room: number;
  /** Lanes looked at, at most. They share the room evenly. */
  readonly lanes: number;
  /** Lanes that bear fewer calls than `room`, with how many; 0 to pass one over. */
  readonly narrow: readonly { readonly lane: number; readonly room: number }[];
  /** Lanes up to this one had their turn. */
  readonly after: number;
}

/** Takes ready calls over, going round the lanes (`claim_calls` of migration 3). */
export async function claimReady(
  tx: Transaction,
  { node, room, lanes, narrow, after }: ClaimOptions,
): Promise<(Claimed & { lane: number })[]> {
  const { rows } = await sql<CallRow & { lane: number }>`
    select * from claim_calls(${node}, ${room}, ${lanes}, ${narrow.map(({ lane }) => lane)}::bigint[],
                              ${narrow.map((one) => one.room)}::integer[], ${after})`.execute(tx);
  return rows.map((row) => ({ ...claimedOf(row), lane: row.lane }));
}

/** Makes calls ready whose delay or pause is over. Costs nothing for those that are not due. */
export async function promoteDue(tx: Transaction, most: number): Promise<number> {
  const { numAffectedRows } = await sql`
    update unfinished_calls u set ready = true, due = null
    from (select call_id from unfinished_calls
          where state = 'queued' and not ready and due <= clock_timestamp()
          order by due limit ${most} for update skip locked) d
    where u.call_id = d.call_id`.execute(tx);
  return Number(numAffectedRows ?? 0);
}

/** Calls whose wait or whole time is over. They stay as they are: whoever ends them names the epoch read here. */
export async function overdue(tx: Transaction, most: number): Promise<Claimed[]> {
  const { rows } = await sql<CallRow>`
    with u as (
      (select * from unfinished_calls where state = 'waiting' and not ready and due <= clock_timestamp()
       order by due limit ${most})
      union
      (select * from unfinished_calls where state in ('queued', 'waiting', 'held') and deadline <= clock_timestamp()
       order by deadline limit ${most})
    )
    select ${CALL} from u join calls c on c.retention = retention_of(u.call_id) and c.call_id = u.call_id`.execute(
    tx,
  );
  return rows.map(claimedOf);
}

/**
 * Takes over what nodes with a lapsed lease owned. Nobody does before the server has been up for one full lease:
 * after an outage every lease looks lapsed (engine rule 5).
 */
export async function adopt(
  tx: Transaction,
  options: { node: number; lease: number; most: number },
): Promise<Claimed[]> {
  const { node, lease, most } = options;
  const { rows } = await sql<CallRow>`
    with u as (
      update unfinished_calls u
      set node_id = ${node}, epoch = u.epoch + 1, crashes = u.crashes + (u.state = 'running')::integer
      from (select call_id from unfinished_calls
            where state in ('running', 'continuing', 'cancelling') and node_id <> ${node}
              and not exists (select from nodes n where n.node_id = unfinished_calls.node_id and n.lease_until > clock_timestamp())
            limit ${most} for update skip locked) lost
      where u.call_id = lost.call_id and ${living(node)}
        and pg_postmaster_start_time() < clock_timestamp() - ${lease} * interval '1 millisecond'
      returning u.*
    )
    select ${CALL} from u join calls c on c.retention = retention_of(u.call_id) and c.call_id = u.call_id`.execute(
    tx,
  );
  return rows.map(claimedOf);
}

/** Registers a process under a number of its own. */
export async function registerNode(tx: Transaction, lease: number): Promise<number> {
  const { rows } = await sql<{ node: number }>`
    insert into nodes (lease_until) values (clock_timestamp() + ${lease} * interval '1 millisecond')
    returning node_id as node`.execute(tx);
  return rows[0]!.node;
}

/** Renews the lease; how many nodes live, or undefined when this one was given up by the others. */
export async function renewLease(tx: Transaction, node: number, lease: number): Promise<number | undefined> {
  const { rows } = await sql<{ living: number }>`
    with mine as (
      update nodes set lease_until = clock_timestamp() + ${lease} * interval '1 millisecond'
      where node_id = ${node} returning node_id
    )
    select (select count(*) from nodes where lease_until > clock_timestamp() and node_id <> ${node}) + 1 as living
    from mine`.execute(tx);
  return rows[0]?.living;
}

/** Ends a lease at once: what the node owned may be adopted. */
export async function endLease(tx: Transaction, nodes: 'all others' | number, own: number): Promise<void> {
  await sql`update nodes set lease_until = '-infinity'
            where ${nodes === 'all others' ? sql`node_id <> ${own}` : sql`node_id = ${nodes}`}`.execute(tx);
}

/** Forgets nodes that are long dead and own nothing. */
export async function forgetNodes(tx: Transaction): Promise<void> {
  await sql`delete from nodes n
            where n.lease_until < clock_timestamp() - interval '1 hour'
              and not exists (select from unfinished_calls u where u.node_id = n.node_id)`.execute(tx);
}

/** Gives owned calls that were never started back to the others. */
export async function handBack(
  tx: Transaction,
  calls: readonly { id: string; epoch: number }[],
): Promise<void> {
  await sql`
    update unfinished_calls u
    set state = 'queued', ready = true, node_id = null, epoch = u.epoch + 1, attempt = u.attempt - 1
    from unnest(${calls.map(({ id }) => id)}::uuid[], ${calls.map(({ epoch }) => epoch)}::integer[]) as c(call_id, epoch)
    where u.call_id = c.call_id and u.epoch = c.epoch and u.state = 'running'`.execute(tx);
}

/** Marks a running call for cancelling; the node that owns it, or undefined when it does not run. */
export async function markCancelling(
  tx: Transaction,
  tenant: string,
  id: string,
): Promise<number | undefined> {
  const { rows } = await sql<{ node: number }>`
    update unfinished_calls set state = 'cancelling'
    where call_id = ${id} and tenant_id = ${tenant} and state in ('running', 'cancelling')
    returning node_id as node`.execute(tx);
  return rows[0]?.node;
}

/** What a node owns, by the database. */
export interface Owned {
  readonly tenant: string;
  readonly id: string;
  readonly epoch: number;
}

/** Everything a node owns. Reads all that is unfinished, so not often. */
export async function ownedBy(tx: Transaction, node: number): Promise<Owned[]> {
  const { rows } = await sql<Owned>`
    select tenant_id as tenant, call_id as id, epoch from unfinished_calls
    where node_id = ${node} and state in ('running', 'continuing', 'cancelling')`.execute(tx);
  return rows;
}

/** Ids of this node's calls that somebody wants cancelled. */
export async function cancellingOf(tx: Transaction, node: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select call_id as id from unfinished_calls where state = 'cancelling' and node_id = ${node}`.execute(tx);
  return rows.map(({ id }) => id);
}

/** An unfinished call of the tenant, as it is now. */
export async function unfinished(tx: Transaction, tenant: string, id: string): Promise<Claimed | undefined> {
  const { rows } = await sql<CallRow>`
    select ${CALL} from unfinished_calls u join calls c on c.retention = ${retentionOf(id)} and c.call_id = u.call_id
    where u.call_id = ${id} and u.tenant_id = ${tenant}`.execute(tx);
  return rows[0] && claimedOf(rows[0]);
}

/** Whether a call is this node's, under this epoch. */
export async function stillOwned(tx: Transaction, node: number, id: string, epoch: number): Promise<boolean> {
  const { rows } = await sql`
    select from unfinished_calls
    where call_id = ${id} and epoch = ${epoch} and node_id = ${node} and state in ('running', 'cancelling')`.execute(
    tx,
  );
  return rows.length > 0;
}

/** Whether the journal has this very entry: tells "my write had landed" from "I lost the call". */
export async function journalled(
  tx: Transaction,
  call: OwnedCall,
  node: number,
  { outcome, started, ended, output, error }: JournalEntry,
): Promise<boolean> {
  const { rows } = await sql`
    select from attempts
    where retention = ${retentionOf(call.id)} and call_id = ${call.id} and attempt = ${call.attempt} and epoch = ${call.epoch}
      and outcome = ${outcome} and node_id = ${node}
      and started_at = to_timestamp(${started} / 1000.0) and ended_at = to_timestamp(${ended} / 1000.0)
      and output is not distinct from ${output ?? null} and error is not distinct from ${error ?? null}`.execute(
    tx,
  );
  return rows.length > 0;
}

/** Keeps an outcome that came too late to count, beside the attempt that replaced it (engine rule 6). */
export async function journalLate(
  tx: Transaction,
  call: OwnedCall,
  node: number,
  { started, ended, output, error }: JournalEntry,
): Promise<void> {
  await sql`
    insert into attempts (tenant_id, call_id, retention, attempt, epoch, outcome, node_id, started_at, ended_at, output, error)
    values (${call.tenant}, ${call.id}, ${retentionOf(call.id)}, ${call.attempt}, ${call.epoch}, 'late', ${node},
            to_timestamp(${started} / 1000.0), to_timestamp(${ended} / 1000.0), ${output ?? null}, ${error ?? null})
    on conflict do nothing`.execute(tx);
}

/** What the last attempt of a call left behind. */
export async function lastAttempt(
  tx: Transaction,
  id: string,
): Promise<{ output: string | undefined; error: string | undefined } | undefined> {
  const { rows } = await sql<{ output: string | null; error: string | null }>`
    select output, error from attempts
    where retention = ${retentionOf(id)} and call_id = ${id} and outcome <> 'late'
    order by attempt desc, epoch desc limit 1`.execute(tx);
  const row = rows[0];
  return row && { output: row.output ?? undefined, error: row.error ?? undefined };
}

/** Groups whose last call ended a while ago and whose continuation nobody has carried out. */
export async function forgottenGroups(
  tx: Transaction,
  olderThan: number,
): Promise<{ tenant: string; id: string; details: string }[]> {
  const { rows } = await sql<{ tenant: string; id: string; details: string }>`
    select tenant_id as tenant, group_id as id, details from call_groups
    where pending = 0 and emptied < clock_timestamp() - ${olderThan} * interval '1 millisecond'
    order by emptied limit 100`.execute(tx);
  return rows;
}

export async function groupDetails(tx: Transaction, id: string): Promise<string | undefined> {
  const { rows } = await sql<{ details: string }>`
    select details from call_groups where group_id = ${id} and pending = 0`.execute(tx);
  return rows[0]?.details;
}

export async function purgeIdempotencyKeys(tx: Transaction): Promise<void> {
  await sql`delete from idempotency_keys where ctid = any (array(
    select ctid from idempotency_keys where expires_at < clock_timestamp() limit 5000))`.execute(tx);
}
