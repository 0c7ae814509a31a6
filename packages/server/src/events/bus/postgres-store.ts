import { sql } from 'kysely';
import type { Transaction } from '../../platform/database/index.ts';
import type { LoggedEvent, Position } from '../event.ts';
import { anyFrom, EVENT_COLUMNS, HORIZON, eventOf, type EventRow } from '../store.ts';
import { MOST_LAG, type Beginning, type PartitionState, type SeekTarget, type Topic } from './bus.ts';

/** Every statement on topics and on what consumers have read of them. */

export interface Group {
  readonly topic: Topic;
  readonly consumer: string;
}

/** What a member owns, as the database has it. */
export interface Owned {
  readonly partition: number;
  readonly epoch: number;
  readonly position: Position;
}

export async function declareTopic(tx: Transaction, { name, partitions }: Topic): Promise<Topic> {
  await tx
    .insertInto('topics')
    .values({ topic: name, partitions })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await tx
    .selectFrom('topics')
    .select('partitions')
    .where('topic', '=', name)
    .executeTakeFirstOrThrow();
  return { name, partitions: row.partitions };
}

export async function topicNamed(tx: Transaction, name: string): Promise<Topic | undefined> {
  return tx
    .selectFrom('topics')
    .select(['topic as name', 'partitions'])
    .where('topic', '=', name)
    .executeTakeFirst();
}

export async function ensureGroup(
  tx: Transaction,
  { topic, consumer }: Group,
  from: Beginning,
): Promise<void> {
  await sql`
    insert into consumer_partitions (topic, consumer, partition, transaction_id, position)
    select ${topic.name}::text, ${consumer}::text, p, case when ${from === 'start'} then 0 else ${HORIZON} end, 0
    from generate_series(0, ${topic.partitions - 1}::integer) p
    on conflict do nothing`.execute(tx);
}

/** Renews what the member owns; gives it, and how many members live. */
export async function renewMember(
  tx: Transaction,
  { topic, consumer }: Group,
  member: string,
  lease: number,
): Promise<{ living: number; owned: Owned[] }> {
  const until = sql`clock_timestamp() + ${lease} * interval '1 millisecond'`;
  await sql`
    insert into consumer_members (topic, consumer, member, lease_until)
    values (${topic.name}, ${consumer}, ${member}, ${until})
    on conflict (topic, consumer, member) do update set lease_until = excluded.lease_until`.execute(tx);
  const { rows: counted } = await sql<{ living: number }>`
    with gone as (
      delete from consumer_members
      where topic = ${topic.name} and consumer = ${consumer} and lease_until < clock_timestamp() - interval '1 hour'
    )
    select count(*)::integer as living from consumer_members
    where topic = ${topic.name} and consumer = ${consumer} and lease_until > clock_timestamp()`.execute(tx);
  const { rows } = await sql<OwnedRow>`
    update consumer_partitions set lease_until = ${until}
    where topic = ${topic.name} and consumer = ${consumer} and member = ${member}
    returning partition, epoch, transaction_id, position`.execute(tx);
  return { living: counted[0]?.living ?? 1, owned: rows.map(ownedOf) };
}

/** Takes over up to `count` partitions that nobody owns any more, by the database's clock. */
export async function claimPartitions(
  tx: Transaction,
  { topic, consumer }: Group,
  member: string,
  lease: number,
  count: number,
): Promise<Owned[]> {
  const { rows } = await sql<OwnedRow>`
    update consumer_partitions c
    set member = ${member}, epoch = epoch + 1, lease_until = clock_timestamp() + ${lease} * interval '1 millisecond'
    from (
      select partition from consumer_partitions
      where topic = ${topic.name} and consumer = ${consumer} and (member is null or lease_until < clock_timestamp())
      order by partition limit ${count} for update skip locked
    ) free
    where c.topic = ${topic.name} and c.consumer = ${consumer} and c.partition = free.partition
    returning c.partition, c.epoch, c.transaction_id, c.position`.execute(tx);
  return rows.map(ownedOf);
}

interface OwnedRow {
  readonly partition: number;
  readonly epoch: number;
  readonly transaction_id: number;
  readonly position: number;
}

function ownedOf({ partition, epoch, transaction_id, position }: OwnedRow): Owned {
  return { partition, epoch, position: { transaction: transaction_id, position } };
}

/** Stores positions under their epochs; gives the partitions of which that was done. `release` gives them back as well. */
export async function storePositions(
  tx: Transaction,
  { topic, consumer }: Group,
  member: string,
  read: readonly Owned[],
  release: boolean,
): Promise<number[]> {
  const { rows } = await sql<{ partition: number }>`
    update consumer_partitions c
    set transaction_id = r.transaction_id, position = r.position,
        blocked_since = case when (c.transaction_id, c.position) = (r.transaction_id, r.position) then c.blocked_since end,
        blocked_by = case when (c.transaction_id, c.position) = (r.transaction_id, r.position) then c.blocked_by end,
        member = case when ${release} then null else c.member end
    from unnest(${read.map((one) => one.partition)}::smallint[], ${read.map((one) => one.epoch)}::integer[],
                ${read.map((one) => one.position.transaction)}::bigint[],
                ${read.map((one) => one.position.position)}::bigint[]) as r(partition, epoch, transaction_id, position)
    where c.topic = ${topic.name} and c.consumer = ${consumer} and c.partition = r.partition
      and c.member = ${member} and c.epoch = r.epoch
    returning c.partition`.execute(tx);
  return rows.map(({ partition }) => partition);
}

export async function storeBlock(
  tx: Transaction,
  { topic, consumer }: Group,
  { partition, epoch }: Owned,
  code: string | undefined,
): Promise<void> {
  await sql`
    update consumer_partitions
    set blocked_by = ${code ?? null},
        blocked_since = case when ${code ?? null}::text is not null then coalesce(blocked_since, clock_timestamp()) end
    where topic = ${topic.name} and consumer = ${consumer} and partition = ${partition} and epoch = ${epoch}`.execute(
    tx,
  );
}

export async function removeMember(
  tx: Transaction,
  { topic, consumer }: Group,
  member: string,
): Promise<void> {
  await tx
    .updateTable('consumer_partitions')
    .set({ member: null })
    .where('topic', '=', topic.name)
    .where('consumer', '=', consumer)
    .where('member', '=', member)
    .execute();
  await tx
    .deleteFrom('consumer_members')
    .where('topic', '=', topic.name)
    .where('consumer', '=', consumer)
    .where('member', '=', member)
    .execute();
}

/** Rows one statement looks at, at most, where few of them are wanted. */
const MOST_SCANNED = 10_000;

export interface Scan {
  readonly events: readonly { readonly partition: number; readonly logged: LoggedEvent }[];
  /** Every event of these partitions up to here is among them, or was read before. */
  readonly through: Position;
  readonly more: boolean;
  readonly held: boolean;
}

/** What follows in these partitions, in the order of the log, read below the horizon. */
export async function scanLog(
  tx: Transaction,
  { name, partitions }: Topic,
  after: readonly Pick<Owned, 'partition' | 'position'>[],
  limit: number,
): Promise<Scan> {
  const first = after.map(({ position }) => position).reduce((a, b) => (isBefore(b, a) ? b : a));
  const scanned = Math.min(MOST_SCANNED, limit * Math.ceil(partitions / after.length));
  const { rows } = await sql<ScanRow>`
    with bounds as materialized (
      select h.horizon, ${anyFrom(sql`h.horizon`)} as held from (select ${HORIZON} as horizon) h
    ), scan as materialized (
      select ${EVENT_COLUMNS}, e.topic from events e
      where (e.transaction_id, e.position) > (${first.transaction}::bigint, ${first.position}::bigint)
        and e.transaction_id < (select horizon from bounds)
      order by e.transaction_id, e.position limit ${scanned}
    ), wanted as (
      select a.partition, ${EVENT_COLUMNS} from scan e
      join unnest(${after.map((one) => one.partition)}::integer[], ${after.map((one) => one.position.transaction)}::bigint[],
                  ${after.map((one) => one.position.position)}::bigint[]) as a(partition, transaction_id, position)
        on e.slot % ${partitions}::integer = a.partition
      where e.topic = ${name} and (e.transaction_id, e.position) > (a.transaction_id, a.position)
      order by e.transaction_id, e.position limit ${limit}
    ), last as (
      select transaction_id as last_transaction, position as last_position, count(*) over () as looked
      from scan order by transaction_id desc, position desc limit 1
    )
    select b.horizon, b.held, l.*, w.*
    from bounds b left join last l on true left join wanted w on true
    order by w.transaction_id, w.position`.execute(tx);
  return scanOf(rows, first, limit, scanned);
}

type ScanRow = Partial<EventRow> & {
  readonly horizon: number;
  readonly held: boolean;
  readonly looked: number | null;
  readonly last_transaction: number | null;
  readonly last_position: number | null;
  readonly partition: number | null;
};

function scanOf(rows: readonly ScanRow[], first: Position, limit: number, most: number): Scan {
  const { horizon, held, looked, last_transaction, last_position } = rows[0]!;
  const events = rows
    .filter((row): row is ScanRow & EventRow => row.event_id != null)
    .map((row) => ({ partition: row.partition!, logged: eventOf(row) }));
  if (events.length === limit) return { events, through: events.at(-1)!.logged.at, more: true, held };
  if (looked === most)
    return {
      events,
      through: { transaction: last_transaction!, position: last_position! },
      more: true,
      held,
    };
  const end = { transaction: horizon, position: 0 };
  return { events, through: isBefore(first, end) ? end : first, more: false, held };
}

function isBefore(a: Position, b: Position): boolean {
  return a.transaction < b.transaction || (a.transaction === b.transaction && a.position < b.position);
}

export async function consumerNames(tx: Transaction, topic: string): Promise<string[]> {
  const rows = await tx
    .selectFrom('consumer_partitions')
    .select('consumer')
    .distinct()
    .where('topic', '=', topic)
    .orderBy('consumer')
    .execute();
  return rows.map(({ consumer }) => consumer);
}

export async function groupState(tx: Transaction, { topic, consumer }: Group): Promise<PartitionState[]> {
  const { rows } = await sql<StateRow>`
    with mine as materialized (
      select * from consumer_partitions where topic = ${topic.name} and consumer = ${consumer}
    ), first as (
      select transaction_id, position from mine order by 1, 2 limit 1
    ), behind as (
      select m.partition from events e
      join mine m on m.partition = e.slot % ${topic.partitions}::integer
      where e.topic = ${topic.name}
        and (e.transaction_id, e.position) > ((select transaction_id from first), (select position from first))
        and (e.transaction_id, e.position) > (m.transaction_id, m.position)
      limit ${MOST_LAG}
    ), counted as (
      select partition, count(*) as lag from behind group by partition
    )
    select m.partition, m.transaction_id, m.position, coalesce(c.lag, 0) as lag,
           m.member is not null and m.lease_until > clock_timestamp() as owned, m.blocked_since, m.blocked_by
    from mine m left join counted c using (partition) order by m.partition`.execute(tx);
  return rows.map(({ partition, transaction_id, position, lag, owned, blocked_since, blocked_by }) => ({
    partition,
    position: { transaction: transaction_id, position },
    lag,
    owned,
    blocked: blocked_by !== null && blocked_since ? { since: blocked_since, code: blocked_by } : undefined,
  }));
}

interface StateRow {
  readonly partition: number;
  readonly transaction_id: number;
  readonly position: number;
  readonly lag: number;
  readonly owned: boolean;
  readonly blocked_since: Date | null;
  readonly blocked_by: string | null;
}

/** Moves a group, and takes its partitions away from their members: what they are about to commit counts no more. */
export async function movePositions(
  tx: Transaction,
  { topic, consumer }: Group,
  target: SeekTarget,
): Promise<void> {
  const { transaction, position } = await placeOf(tx, topic, target);
  await sql`
    update consumer_partitions
    set transaction_id = ${transaction}, position = ${position}, epoch = epoch + 1, member = null,
        blocked_since = null, blocked_by = null
    where topic = ${topic.name} and consumer = ${consumer}`.execute(tx);
}

async function placeOf(tx: Transaction, topic: Topic, target: SeekTarget): Promise<Position> {
  if (target.to === 'position') return target.position;
  if (target.to === 'start') return { transaction: 0, position: 0 };
  const time = target.to === 'time' ? target.time : null;
  const { rows } = await sql<{ transaction_id: number; position: number; horizon: number }>`
    select e.transaction_id, e.position - 1 as position, b.horizon
    from (select ${HORIZON} as horizon) b left join lateral (
      select transaction_id, position from events
      where topic = ${topic.name} and at >= ${time}::timestamptz order by transaction_id, position limit 1
    ) e on true`.execute(tx);
  const { transaction_id, position, horizon } = rows[0]!;
  return { transaction: transaction_id ?? horizon, position: position ?? 0 };
}
