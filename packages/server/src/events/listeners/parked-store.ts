import { sql } from 'kysely';
import type { Transaction } from '../../platform/database/index.ts';
import type { CloudEvent, LoggedEvent, Position } from '../event.ts';

/** Every statement on events that consumers put aside. */

export interface ConsumerName {
  readonly topic: string;
  readonly consumer: string;
}

/** The first event of a key that waits aside; those behind it wait for it. */
export interface Head {
  readonly partition: number;
  readonly key: string;
  readonly at: Position;
  readonly attempts: number;
  readonly event: CloudEvent;
}

/** What waits aside in some partitions. */
export interface Parked {
  /** Keys of each partition whose events wait. */
  readonly keys: ReadonlyMap<number, ReadonlySet<string>>;
  /** Events that wait. */
  readonly count: number;
  /** Milliseconds until the next of them is due. */
  readonly nextDue: number | undefined;
}

export async function parkedIn(
  tx: Transaction,
  { topic, consumer }: ConsumerName,
  partitions: readonly number[],
): Promise<Parked> {
  const { rows } = await sql<{ partition: number; key: string; count: number; wait: number }>`
    select partition, key, count(*) as count,
           extract(epoch from (array_agg(due order by transaction_id, position))[1] - clock_timestamp())::float8 * 1000 as wait
    from parked_events
    where topic = ${topic} and consumer = ${consumer} and partition = any (${partitions}::smallint[])
      and state = 'retrying'
    group by partition, key`.execute(tx);
  const keys = new Map<number, Set<string>>();
  for (const { partition, key } of rows) keys.set(partition, (keys.get(partition) ?? new Set()).add(key));
  const count = rows.reduce((sum, row) => sum + row.count, 0);
  const nextDue = rows.length > 0 ? Math.max(0, Math.min(...rows.map(({ wait }) => wait))) : undefined;
  return { keys, count, nextDue };
}

/** The first event of each key, where its time has come. */
export async function dueHeads(
  tx: Transaction,
  { topic, consumer }: ConsumerName,
  partitions: readonly number[],
  limit: number,
): Promise<Head[]> {
  const { rows } = await sql<HeadRow>`
    select partition, key, transaction_id, position, attempts, event from (
      select distinct on (partition, key) partition, key, transaction_id, position, attempts, event, due
      from parked_events
      where topic = ${topic} and consumer = ${consumer} and partition = any (${partitions}::smallint[])
        and state = 'retrying'
      order by partition, key, transaction_id, position
    ) heads
    where due <= clock_timestamp() order by transaction_id, position limit ${limit}`.execute(tx);
  return rows.map(({ transaction_id, position, event, ...row }) => ({
    ...row,
    at: { transaction: transaction_id, position },
    event: JSON.parse(event) as CloudEvent,
  }));
}

interface HeadRow {
  readonly partition: number;
  readonly key: string;
  readonly transaction_id: number;
  readonly position: number;
  readonly attempts: number;
  readonly event: string;
}

/** Puts an event aside; `pause` milliseconds until it is tried, undefined when it is given up at once. */
export async function park(
  tx: Transaction,
  { topic, consumer }: ConsumerName,
  partition: number,
  { event, at }: LoggedEvent,
  tried: { readonly attempts: number; readonly pause: number | undefined; readonly code?: string },
): Promise<void> {
  await sql`
    insert into parked_events (tenant_id, topic, consumer, partition, transaction_id, position, key, state, attempts,
                               due, code, event)
    values (${event.tenant}, ${topic}, ${consumer}, ${partition}, ${at.transaction}, ${at.position},
            ${event.partitionkey}, ${stateOf(tried.pause)}, ${tried.attempts}, ${dueIn(tried.pause)},
            ${tried.code ?? null}, ${JSON.stringify(event)})
    on conflict do nothing`.execute(tx);
}

/** Notes another attempt that failed. */
export async function parkAgain(
  tx: Transaction,
  { topic, consumer }: ConsumerName,
  { at, attempts }: Head,
  tried: { readonly pause: number | undefined; readonly code: string },
): Promise<void> {
  await sql`
    update parked_events
    set attempts = ${attempts + 1}, state = ${stateOf(tried.pause)}, due = ${dueIn(tried.pause)}, code = ${tried.code}
    where topic = ${topic} and consumer = ${consumer} and transaction_id = ${at.transaction}
      and position = ${at.position}`.execute(tx);
}

const stateOf = (pause: number | undefined): string => (pause === undefined ? 'dead' : 'retrying');
const dueIn = (pause: number | undefined) =>
  sql`clock_timestamp() + ${pause ?? 0} * interval '1 millisecond'`;

export async function unpark(
  tx: Transaction,
  { topic, consumer }: ConsumerName,
  at: Position,
): Promise<void> {
  await tx
    .deleteFrom('parked_events')
    .where('topic', '=', topic)
    .where('consumer', '=', consumer)
    .where('transaction_id', '=', at.transaction)
    .where('position', '=', at.position)
    .execute();
}

export interface ParkedCount {
  readonly consumer: string;
  readonly retrying: number;
  readonly dead: number;
  /** Codes of those given up, the most frequent first. */
  readonly codes: string[];
}

export async function countParked(tx: Transaction, topic: string): Promise<ParkedCount[]> {
  const { rows } = await sql<ParkedCount>`
    select consumer, coalesce(sum(n) filter (where state = 'retrying'), 0)::bigint as retrying,
           coalesce(sum(n) filter (where state = 'dead'), 0)::bigint as dead,
           coalesce(array_agg(code order by n desc) filter (where state = 'dead' and code is not null), '{}') as codes
    from (
      select consumer, state, code, count(*) as n from parked_events where topic = ${topic} group by consumer, state, code
    ) counted
    group by consumer`.execute(tx);
  return rows;
}

/** The events a consumer gave up, the oldest first: their number, or, for good, another round of attempts for them. */
export async function reviveDead(
  tx: Transaction,
  { topic, consumer }: ConsumerName,
  { limit, dryRun, code }: { readonly limit: number; readonly dryRun: boolean; readonly code?: string },
): Promise<number> {
  const chosen = sql`
    select transaction_id, position from parked_events
    where topic = ${topic} and consumer = ${consumer} and state = 'dead'
      and (${code ?? null}::text is null or code = ${code ?? null})
    order by transaction_id, position limit ${limit}`;
  if (dryRun) {
    const { rows } = await sql<{ count: number }>`select count(*) as count from (${chosen}) c`.execute(tx);
    return rows[0]?.count ?? 0;
  }
  const result = await sql`
    update parked_events p set state = 'retrying', attempts = 0, due = clock_timestamp()
    from (${chosen}) c
    where p.topic = ${topic} and p.consumer = ${consumer} and p.state = 'dead'
      and p.transaction_id = c.transaction_id and p.position = c.position`.execute(tx);
  return Number(result.numAffectedRows ?? 0n);
}
