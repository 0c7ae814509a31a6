-- Events: the log that everything which happened is written to, and how far its consumers have read it.
--
-- The log is the outbox: an event is inserted in the transaction of what it tells of. Ids are taken before a commit, so a
-- reader that went by them would skip whoever commits late: readers go by (transaction_id, position), and only below the
-- oldest transaction that is still open (engine rule 12). One narrow index, which grows at one end.

create table events (
  tenant_id      uuid        not null,
  transaction_id bigint      not null default pg_current_xact_id()::text::bigint,
  -- Order within a transaction.
  position       bigint      not null generated always as identity (cache 32),
  topic          text        not null default 'events',
  -- Events of one key stay in order; the slot says in which partition of the topic they are.
  key            text        not null,
  slot           smallint    not null generated always as ((hashtextextended(key, 7004) & 32767)::smallint) stored,
  type           text        not null,
  event_id       text        not null default gen_random_uuid()::text,
  at             timestamptz not null default clock_timestamp(),
  subject        text,
  actor          text,
  correlation    text,
  causation      text,
  -- Attributes an event of the hub itself has none of, and the payload: JSON that is only stored and read back whole.
  attributes     text,
  data           text
) partition by range (at);
create index events_in_order on events (transaction_id, position);
alter table events enable row level security;
alter table events force row level security;
create policy own_tenant on events to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on events to linkspan_hub using (true);
grant select, insert on events to linkspan_api, linkspan_hub;

-- A partition for each span of time, made ahead and dropped when it is over; the rest takes what no partition was made for.
create table events_rest partition of events default;

-- The number of partitions of a topic never changes: a key would move to another one, and out of its order.
create table topics (
  topic           text     primary key,
  partitions      smallint not null check (partitions between 1 and 1024),
  -- Everything up to this transaction may have left the log.
  dropped_through bigint   not null default 0
);
grant select, insert on topics to linkspan_hub;

-- How far a consumer has read a partition: everything up to and with (transaction_id, position). Leased to one member at
-- a time, by this server's clock; `epoch` fences, and grows with every change of hands.
create table consumer_partitions (
  topic          text        not null references topics,
  consumer       text        not null,
  partition      smallint    not null,
  transaction_id bigint      not null,
  position       bigint      not null,
  epoch          integer     not null default 0,
  member         uuid,
  lease_until    timestamptz not null default '-infinity',
  -- Why the record behind the position holds up the partition, and since when.
  blocked_since  timestamptz,
  blocked_by     text,
  primary key (topic, consumer, partition)
) with (fillfactor = 50);
grant select, insert, update on consumer_partitions to linkspan_hub;

-- Who shares the partitions of a consumer.
create table consumer_members (
  topic       text        not null,
  consumer    text        not null,
  member      uuid        not null,
  lease_until timestamptz not null,
  primary key (topic, consumer, member)
) with (fillfactor = 50);
grant select, insert, update, delete on consumer_members to linkspan_hub;

-- Events a consumer could not take: those it tries again, those of the same key that wait behind them, and those it gave
-- up. They keep the event itself, which may leave the log before them.
create table parked_events (
  tenant_id      uuid        not null,
  topic          text        not null,
  consumer       text        not null,
  partition      smallint    not null,
  transaction_id bigint      not null,
  position       bigint      not null,
  key            text        not null,
  state          text        not null check (state in ('retrying', 'dead')),
  attempts       smallint    not null,
  due            timestamptz not null,
  code           text,
  event          text        not null,
  parked_at      timestamptz not null default clock_timestamp(),
  primary key (topic, consumer, transaction_id, position)
) with (fillfactor = 70);
create index parked_events_retrying on parked_events (topic, consumer, partition) where state = 'retrying';
alter table parked_events enable row level security;
alter table parked_events force row level security;
create policy own_tenant on parked_events to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on parked_events to linkspan_hub using (true);
grant select on parked_events to linkspan_api;
grant select, insert, update, delete on parked_events to linkspan_hub;
