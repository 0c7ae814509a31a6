-- The house: the store, tenants, principals, tokens, sealed data keys, the audit.
--
-- Every table has a tenant, row-level security that even its owner obeys, and two policies: linkspan_api sees
-- the tenant named in its transaction (nothing when none is named), linkspan_hub sees all. A test finds any
-- table without them.

create table store (
  only_one         boolean     primary key default true check (only_one),
  id               uuid        not null default gen_random_uuid(),
  created_at       timestamptz not null default now(),
  -- A keyed digest that tells whether a hub holds the master key its secrets are sealed with.
  master_key_check bytea
);
insert into store default values;
grant select, update (master_key_check) on store to linkspan_hub;

create function current_tenant() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('linkspan.tenant', true), '')::uuid;

create table tenants (
  tenant_id  uuid        primary key,
  name       text        not null unique check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  created_at timestamptz not null default now()
);
alter table tenants enable row level security;
alter table tenants force row level security;
create policy own_tenant on tenants to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on tenants to linkspan_hub using (true);
grant select on tenants to linkspan_api;
grant select, insert on tenants to linkspan_hub;

create table principals (
  tenant_id    uuid        not null references tenants,
  principal_id uuid        not null,
  kind         text        not null check (kind in ('user', 'service', 'agent')),
  name         text        not null check (length(name) between 1 and 200),
  created_at   timestamptz not null default now(),
  primary key (tenant_id, principal_id),
  unique (tenant_id, kind, name)
);
alter table principals enable row level security;
alter table principals force row level security;
create policy own_tenant on principals to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on principals to linkspan_hub using (true);
grant select, insert on principals to linkspan_api, linkspan_hub;

create table tokens (
  tenant_id    uuid        not null,
  token_id     uuid        primary key,
  principal_id uuid        not null,
  name         text        not null check (length(name) between 1 and 200),
  -- SHA-256 of the whole token; the token itself is kept nowhere.
  digest       bytea       not null unique check (length(digest) = 32),
  permissions  text[]      not null,
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  foreign key (tenant_id, principal_id) references principals
);
create index tokens_by_tenant on tokens (tenant_id, token_id);
alter table tokens enable row level security;
alter table tokens force row level security;
create policy own_tenant on tokens to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on tokens to linkspan_hub using (true);
grant select, insert, delete on tokens to linkspan_api;
grant select, insert on tokens to linkspan_hub;

create table data_keys (
  tenant_id   uuid        not null references tenants,
  key_id      uuid        primary key,
  -- 1 for a tenant's first key, one more with each rotation; who loses the race for one uses the winner's.
  generation  integer     not null check (generation > 0),
  -- Which master key wraps it; changes together with wrapped.
  master_id   text        not null,
  wrapped     bytea       not null,
  created_at  timestamptz not null default now(),
  unique (tenant_id, generation)
);
alter table data_keys enable row level security;
alter table data_keys force row level security;
create policy own_tenant on data_keys to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on data_keys to linkspan_hub using (true);
grant select, insert, update (master_id, wrapped) on data_keys to linkspan_hub;

-- Only ever inserted into: no role may change or remove an entry.
create table audit_entries (
  tenant_id    uuid        not null references tenants,
  entry_id     uuid        not null,
  at           timestamptz not null default now(),
  actor_id     uuid,
  token_id     uuid,
  address      text,
  resource     text        not null,
  action       text        not null,
  target       text,
  outcome      text        not null check (outcome in ('succeeded', 'refused', 'failed')),
  changes      jsonb       not null default '{}',
  request_id   text,
  primary key (tenant_id, entry_id)
);
alter table audit_entries enable row level security;
alter table audit_entries force row level security;
create policy own_tenant on audit_entries to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on audit_entries to linkspan_hub using (true);
grant select, insert on audit_entries to linkspan_api, linkspan_hub;
