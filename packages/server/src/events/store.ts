import { sql, type RawBuilder } from 'kysely';
import type { Transaction } from '../platform/database/index.ts';
import { isHubEvent, schemaOf } from './catalogue.ts';
import { HUB_SOURCE, type CloudEvent, type LoggedEvent, type Position } from './event.ts';

/** Every statement on the log of events itself; how far consumers are is the business of the bus. */

/** Attributes with a column of their own. */
const COLUMNS = new Set([
  'specversion',
  'id',
  'type',
  'tenant',
  'partitionkey',
  'subject',
  'actor',
  'correlation',
  'causation',
  'data',
]);

/**
 * Writes events, in this order, in the transaction of what they tell of. Whoever writes two events of one key in two
 * transactions has them read in the order of those that do not overlap.
 */
export async function insertEvents(
  tx: Transaction,
  topic: string,
  events: readonly CloudEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const column = <T>(value: (event: CloudEvent) => T): T[] => events.map(value);
  const text = (name: string) => column((event) => (event[name] as string | undefined) ?? null);
  await sql`
    insert into events (tenant_id, topic, key, type, event_id, subject, actor, correlation, causation, attributes, data)
    select e.tenant, ${topic}, e.key, e.type, e.id, e.subject, e.actor, e.correlation, e.causation, e.attributes, e.data
    from unnest(${text('tenant')}::uuid[], ${text('partitionkey')}::text[], ${text('type')}::text[],
                ${text('id')}::text[], ${text('subject')}::text[], ${text('actor')}::text[],
                ${text('correlation')}::text[], ${text('causation')}::text[], ${column(attributesOf)}::text[],
                ${column(({ data }) => (data === undefined ? null : JSON.stringify(data)))}::text[])
      with ordinality as e(tenant, key, type, id, subject, actor, correlation, causation, attributes, data, nth)
    order by e.nth`.execute(tx);
}

/** What has no column; nothing for the hub's own events, whose other attributes follow from their type. */
function attributesOf(event: CloudEvent): string | null {
  if (event.source === HUB_SOURCE && isHubEvent(event.type)) return null;
  return JSON.stringify(Object.fromEntries(Object.entries(event).filter(([name]) => !COLUMNS.has(name))));
}

/** A row of the log, as the statements of this folder select it. */
export interface EventRow {
  readonly tenant_id: string;
  readonly transaction_id: number;
  readonly position: number;
  readonly key: string;
  readonly slot: number;
  readonly type: string;
  readonly event_id: string;
  readonly at: Date;
  readonly subject: string | null;
  readonly actor: string | null;
  readonly correlation: string | null;
  readonly causation: string | null;
  readonly attributes: string | null;
  readonly data: string | null;
}

export const EVENT_COLUMNS = sql`e.tenant_id, e.transaction_id, e.position, e.key, e.slot, e.type, e.event_id, e.at,
  e.subject, e.actor, e.correlation, e.causation, e.attributes, e.data`;

export function eventOf(row: EventRow): LoggedEvent {
  const { type, subject, actor, correlation, causation } = row;
  const own = row.attributes === null && isHubEvent(type);
  return {
    at: { transaction: row.transaction_id, position: row.position },
    event: {
      specversion: '1.0',
      id: row.event_id,
      source: HUB_SOURCE,
      type,
      time: row.at.toISOString(),
      tenant: row.tenant_id,
      partitionkey: row.key,
      ...(subject !== null && { subject }),
      ...(actor !== null && { actor }),
      ...(correlation !== null && { correlation }),
      ...(causation !== null && { causation }),
      ...(own && { datacontenttype: 'application/json', dataschema: schemaOf(type) }),
      ...(row.attributes !== null && (JSON.parse(row.attributes) as object)),
      ...(row.data !== null && { data: JSON.parse(row.data) as unknown }),
    },
  };
}

/**
 * The oldest transaction that is still open, by this statement's own snapshot: everything below it has ended and can be
 * seen, so no event can come to stand before one that was read (engine rule 12).
 */
export const HORIZON = sql`(select pg_snapshot_xmin(pg_current_snapshot())::text::bigint)`;

/** Whether an event stands at or behind a transaction. Ordered, because the planner would take a scan of everything for cheaper. */
export function anyFrom(transaction: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql<boolean>`(
    select true from events where transaction_id >= ${transaction} order by transaction_id, position limit 1
  ) is not null`;
}

export interface EventFilter {
  /** The type, or what the type lies below. */
  readonly type?: string;
  readonly subject?: string;
  readonly correlation?: string;
}

/** Events after a position, and what is known to be read with them. */
export interface Page {
  readonly events: readonly LoggedEvent[];
  /** Every event up to here is among `events` or does not match. */
  readonly through: Position;
  /** Whether more can be read at once. */
  readonly more: boolean;
  /** Whether events stand behind a transaction that is still open: they come without another signal. */
  readonly held: boolean;
}

/** Transactions one statement looks through, so that a filter that lets nothing pass does not take minutes. */
const WINDOW = 20_000;

/** The tenant's events of a topic after a position, in order, at most `limit`. */
export async function readEvents(
  tx: Transaction,
  { tenant, topic, after, filter, limit }: ReadOptions,
): Promise<Page> {
  const below = filter.type?.replace(/\.$/, '');
  const { rows } = await sql<Partial<EventRow> & { upper: number; horizon: number; held: boolean }>`
    with bounds as materialized (
      select h.horizon, least(h.horizon, ${after.transaction}::bigint + ${WINDOW}) as upper,
             ${anyFrom(sql`h.horizon`)} as held
      from (select ${HORIZON} as horizon) h
    )
    select b.upper, b.horizon, b.held, f.*
    from bounds b left join lateral (
      select ${EVENT_COLUMNS} from events e
      where (e.transaction_id, e.position) > (${after.transaction}::bigint, ${after.position}::bigint)
        and e.transaction_id < b.upper and e.tenant_id = ${tenant} and e.topic = ${topic}
        and (${below ?? null}::text is null or e.type = ${below ?? null} or starts_with(e.type, ${below ?? ''} || '.'))
        and (${filter.subject ?? null}::text is null or e.subject = ${filter.subject ?? null})
        and (${filter.correlation ?? null}::text is null or e.correlation = ${filter.correlation ?? null})
      order by e.transaction_id, e.position limit ${limit}
    ) f on true
    order by f.transaction_id, f.position`.execute(tx);
  const events = rows.filter((row): row is typeof row & EventRow => row.event_id != null).map(eventOf);
  const { upper, horizon, held } = rows[0]!;
  const full = events.length === limit;
  const end = {
    transaction: Math.max(upper, after.transaction),
    position: after.transaction >= upper ? after.position : 0,
  };
  return { events, through: full ? events.at(-1)!.at : end, more: full || upper < horizon, held };
}

export interface ReadOptions {
  readonly tenant: string;
  readonly topic: string;
  readonly after: Position;
  readonly filter: EventFilter;
  readonly limit: number;
}

/** The position that everything kept stands behind. Only those who see all tenants find it at once. */
export async function startOfLog(tx: Transaction): Promise<Position> {
  const { rows } = await sql<{ first: number | null; horizon: number }>`
    select (select transaction_id from events order by transaction_id, position limit 1) as first, ${HORIZON} as horizon`.execute(
    tx,
  );
  const { first, horizon } = rows[0]!;
  // The first event of all may belong to a transaction that is newer than one still open.
  return { transaction: Math.min(first ?? horizon, horizon), position: 0 };
}

/** The position that everything written from now on stands behind. */
export async function endOfLog(tx: Transaction): Promise<Position> {
  const { rows } = await sql<{ horizon: number }>`select ${HORIZON} as horizon`.execute(tx);
  return { transaction: rows[0]!.horizon, position: 0 };
}

/** Up to which transaction events may have left the log. */
export async function droppedThrough(tx: Transaction, topic: string): Promise<number> {
  const found = await tx
    .selectFrom('topics')
    .select('dropped_through')
    .where('topic', '=', topic)
    .executeTakeFirst();
  return found?.dropped_through ?? 0;
}
