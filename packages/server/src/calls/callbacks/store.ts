import type { CallbackKind } from '@linkspan/sdk';
import { sql } from 'kysely';
import type { Transaction } from '../../platform/database/index.ts';
import { retentionOf, type CallDetails, type CallState } from '../engine/index.ts';
import type { Callback, DeliveryState } from './callback.ts';

/** Every statement on callbacks and their deliveries; of calls it reads alone. */

interface CallbackRow {
  readonly tenant: string;
  readonly call: string;
  readonly name: string;
  readonly kind: CallbackKind;
  readonly expires: Date;
}

const CALLBACK = sql`b.tenant_id as tenant, b.call_id as call, b.name, b.kind, b.expires_at as expires`;

const callbackOf = ({ expires, ...row }: CallbackRow): Callback => ({ ...row, expires: expires.getTime() });

/** A delivery without what it holds. */
export interface StoredDelivery {
  readonly id: string;
  readonly tenant: string;
  readonly call: string;
  readonly name: string;
  readonly digest: Buffer;
  readonly method: string;
  readonly address: string;
  readonly size: number;
  readonly receivedAt: Date;
  readonly state: DeliveryState;
  readonly tries: number;
  /** JSON text. */
  readonly progress: string | null;
  readonly outcome: string | null;
  readonly settledAt: Date | null;
}

/** With what it holds, and what its sender was told: sealed. */
export interface WholeDelivery extends StoredDelivery {
  readonly content: Buffer;
  readonly answer: Buffer | null;
}

const DELIVERY = sql`d.delivery_id as id, d.tenant_id as tenant, d.call_id as call, d.name, d.digest, d.method, d.address,
  d.size, d.received_at as "receivedAt", d.state, d.tries, d.progress, d.outcome, d.settled_at as "settledAt"`;

/** Keeps others from opening callbacks of this call until the transaction ends, so that their number has a bound. */
export async function lockCallbacks(tx: Transaction, call: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${call}, 7005))`.execute(tx);
}

/** Inserts a callback unless its call has one of the name; the one that stands. Two statements, see engine rule 8. */
export async function openCallback(tx: Transaction, callback: Callback): Promise<Callback | undefined> {
  const { tenant, call, name, kind, expires } = callback;
  await sql`insert into callbacks (tenant_id, call_id, name, kind, expires_at)
            values (${tenant}, ${call}, ${name}, ${kind}, ${new Date(expires)}) on conflict do nothing`.execute(
    tx,
  );
  return findCallback(tx, tenant, call, name);
}

export async function findCallback(
  tx: Transaction,
  tenant: string,
  call: string,
  name: string,
): Promise<Callback | undefined> {
  const { rows } = await sql<CallbackRow>`
    select ${CALLBACK} from callbacks b
    where b.call_id = ${call} and b.name = ${name} and b.tenant_id = ${tenant}`.execute(tx);
  return rows[0] && callbackOf(rows[0]);
}

export async function callbacksOf(tx: Transaction, tenant: string, call: string): Promise<Callback[]> {
  const { rows } = await sql<CallbackRow>`
    select ${CALLBACK} from callbacks b where b.call_id = ${call} and b.tenant_id = ${tenant} order by b.name`.execute(
    tx,
  );
  return rows.map(callbackOf);
}

/** A call, as its handler is told of it. */
export interface CallOfDelivery {
  readonly id: string;
  readonly tenant: string;
  readonly principal: string | undefined;
  readonly action: string;
  /** JSON text, without its secrets. */
  readonly input: string;
  readonly details: CallDetails;
  /** Undefined when it has ended. */
  readonly state: CallState | undefined;
  /** What it ended by, as `Answer.by` of the engine names it. */
  readonly endedBy: string | undefined;
}

export async function readCall(
  tx: Transaction,
  tenant: string,
  id: string,
): Promise<CallOfDelivery | undefined> {
  const { rows } = await sql<{
    principal: string | null;
    action: string;
    input: string;
    details: string | null;
    state: CallState | null;
    endedBy: string | null;
  }>`
    select c.principal_id as principal, c.action, c.input, c.details, u.state, e.reason as "endedBy"
    from calls c left join unfinished_calls u on u.call_id = c.call_id
    left join ended_calls e on e.retention = c.retention and e.call_id = c.call_id
    where c.retention = ${retentionOf(id)} and c.call_id = ${id} and c.tenant_id = ${tenant}`.execute(tx);
  const row = rows[0];
  return (
    row && {
      id,
      tenant,
      action: row.action,
      input: row.input,
      principal: row.principal ?? undefined,
      details: row.details === null ? {} : (JSON.parse(row.details) as CallDetails),
      state: row.state ?? undefined,
      endedBy: row.endedBy ?? undefined,
    }
  );
}

/** How much came to a call so far. */
export async function storedFor(
  tx: Transaction,
  call: string,
): Promise<{ deliveries: number; bytes: number }> {
  const { rows } = await sql<{ deliveries: number; bytes: number }>`
    select count(*)::integer as deliveries, coalesce(sum(size), 0)::integer as bytes
    from callback_deliveries where call_id = ${call}`.execute(tx);
  return rows[0] ?? { deliveries: 0, bytes: 0 };
}

/** The delivery of this digest, if it came before. */
export async function findDuplicate(
  tx: Transaction,
  { tenant, call, name }: Callback,
  digest: Buffer,
): Promise<WholeDelivery | undefined> {
  const { rows } = await sql<WholeDelivery>`
    select ${DELIVERY}, d.content, d.answer from callback_deliveries d
    where d.call_id = ${call} and d.name = ${name} and d.digest = ${digest} and d.tenant_id = ${tenant}`.execute(
    tx,
  );
  return rows[0];
}

export type NewDelivery = Pick<WholeDelivery, 'id' | 'digest' | 'method' | 'address' | 'size' | 'content'>;

/** Stores a delivery; nothing when one of its digest came first. */
export async function insertDelivery(
  tx: Transaction,
  callback: Callback,
  delivery: NewDelivery,
): Promise<void> {
  const { id, digest, method, address, size, content } = delivery;
  await sql`
    insert into callback_deliveries (tenant_id, call_id, delivery_id, name, digest, method, address, size, content)
    values (${callback.tenant}, ${callback.call}, ${id}, ${callback.name}, ${digest}, ${method}, ${address}, ${size}, ${content})
    on conflict (call_id, name, digest) do nothing`.execute(tx);
}

export async function readDelivery(
  tx: Transaction,
  tenant: string,
  id: string,
): Promise<WholeDelivery | undefined> {
  const { rows } = await sql<WholeDelivery>`
    select ${DELIVERY}, d.content, d.answer from callback_deliveries d
    where d.delivery_id = ${id} and d.tenant_id = ${tenant}`.execute(tx);
  return rows[0];
}

/** In the order they came; those behind `after`. */
export async function deliveriesOf(
  tx: Transaction,
  tenant: string,
  call: string,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<StoredDelivery[]> {
  const { rows } = await sql<StoredDelivery>`
    select ${DELIVERY} from callback_deliveries d
    where d.call_id = ${call} and d.tenant_id = ${tenant}
      and d.delivery_id > ${page.after ?? '00000000-0000-0000-0000-000000000000'}::uuid
    order by d.delivery_id limit ${page.limit}`.execute(tx);
  return rows;
}

/**
 * Takes a delivery on for its handler, for `lease` milliseconds, and counts the try. Undefined when it is in another's
 * hands, or in none of these states (any more).
 */
export async function takeOn(
  tx: Transaction,
  tenant: string,
  id: string,
  { states, lease }: { readonly states: readonly DeliveryState[]; readonly lease: number },
): Promise<number | undefined> {
  const { rows } = await sql<{ tries: number }>`
    update callback_deliveries
    set state = 'received', tries = tries + 1, lease_until = clock_timestamp() + ${lease} * interval '1 millisecond'
    where delivery_id = ${id} and tenant_id = ${tenant} and state = any (${states}::delivery_state[])
      and lease_until < clock_timestamp()
    returning tries`.execute(tx);
  return rows[0]?.tries;
}

export interface Decided {
  readonly state: DeliveryState;
  readonly outcome?: string;
  readonly progress?: string;
  readonly answer?: Buffer;
}

/** Records what was decided in this try. False when the delivery was taken on anew meanwhile. */
export async function decide(
  tx: Transaction,
  tenant: string,
  id: string,
  tries: number,
  what: Decided,
): Promise<boolean> {
  const { state, outcome = null, progress = null, answer = null } = what;
  const { numAffectedRows } = await sql`
    update callback_deliveries
    set state = ${state}, outcome = ${outcome}, progress = ${progress}, answer = ${answer}, lease_until = '-infinity',
        settled_at = clock_timestamp()
    where delivery_id = ${id} and tenant_id = ${tenant} and tries = ${tries} and state = 'received'`.execute(
    tx,
  );
  return numAffectedRows === 1n;
}

/** Says what became of a decision that was kept. */
export async function settle(
  tx: Transaction,
  tenant: string,
  id: string,
  state: 'continued' | 'surpassed',
): Promise<void> {
  await sql`
    update callback_deliveries set state = ${state}, settled_at = clock_timestamp()
    where delivery_id = ${id} and tenant_id = ${tenant} and state = 'decided'`.execute(tx);
}

/** Decisions kept for a call, the first to come first. */
export async function keptFor(tx: Transaction, tenant: string, call: string): Promise<StoredDelivery[]> {
  const { rows } = await sql<StoredDelivery>`
    select ${DELIVERY} from callback_deliveries d
    where d.call_id = ${call} and d.tenant_id = ${tenant} and d.state = 'decided' order by d.delivery_id`.execute(
    tx,
  );
  return rows;
}

/** Deliveries whose handler was broken off, and decisions that can be carried out now or never; none younger than `age`. */
export async function leftOver(
  tx: Transaction,
  { most, age }: { readonly most: number; readonly age: number },
): Promise<StoredDelivery[]> {
  const { rows } = await sql<StoredDelivery>`
    select ${DELIVERY} from callback_deliveries d left join unfinished_calls u on u.call_id = d.call_id
    where d.state in ('received', 'decided') and d.received_at <= clock_timestamp() - ${age} * interval '1 millisecond'
      and case d.state when 'received' then d.lease_until < clock_timestamp()
          else u.state is null or u.state in ('waiting', 'held') end
    order by d.received_at limit ${most}`.execute(tx);
  return rows;
}

/** Lets go of callbacks whose call is kept no more, with their deliveries. */
export async function forget(tx: Transaction, most: number): Promise<void> {
  await sql`
    delete from callbacks where (call_id, name) in (
      select b.call_id, b.name from callbacks b
      where b.expires_at < clock_timestamp()
        and not exists (select from calls c where c.retention = retention_of(b.call_id) and c.call_id = b.call_id)
      limit ${most})`.execute(tx);
}
