-- Callbacks: what a call may be continued by from outside, and every request that came to one.

-- Stored before its address is handed out. It belongs to the call: whoever asks for the name again gets this row.
create table callbacks (
  tenant_id  uuid        not null,
  call_id    uuid        not null,
  name       text        not null,
  kind       text        not null check (kind in ('webhook', 'redirect')),
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (call_id, name)
);
alter table callbacks enable row level security;
alter table callbacks force row level security;
create policy own_tenant on callbacks to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on callbacks to linkspan_hub using (true);
grant select, insert on callbacks to linkspan_api, linkspan_hub;
grant delete on callbacks to linkspan_hub;

-- `received → noted | decided | failed`, `failed → received` when it comes again, `decided → continued | surpassed`.
create type delivery_state as enum ('received', 'failed', 'noted', 'decided', 'continued', 'surpassed');

create table callback_deliveries (
  tenant_id   uuid           not null,
  call_id     uuid           not null,
  delivery_id uuid           primary key,
  name        text           not null,
  -- Keyed: of method, query, what the sender calls it, and body. The same request is the same delivery.
  digest      bytea          not null,
  method      text           not null,
  address     text           not null,
  size        integer        not null,
  -- Query, headers and body as they came, sealed: they may hold credentials of the sender.
  content     bytea          not null,
  received_at timestamptz    not null default clock_timestamp(),
  state       delivery_state not null default 'received',
  -- How often its handler was begun; fences one that comes back after its lease.
  tries       smallint       not null default 0,
  lease_until timestamptz    not null default '-infinity',
  -- What was decided: how the call goes on (JSON), what is reported (JSON), what the sender was told (sealed).
  outcome     text,
  progress    text,
  answer      bytea,
  settled_at  timestamptz,
  unique (call_id, name, digest),
  foreign key (call_id, name) references callbacks on delete cascade
);
create index callback_deliveries_open on callback_deliveries (received_at) where state in ('received', 'decided');
alter table callback_deliveries enable row level security;
alter table callback_deliveries force row level security;
create policy own_tenant on callback_deliveries to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on callback_deliveries to linkspan_hub using (true);
grant select, insert, update on callback_deliveries to linkspan_api, linkspan_hub;
