-- Written from the system catalogs by `npm run generate`. The migrations beside it are the source.

create type call_state as enum ('queued', 'running', 'waiting', 'held', 'continuing', 'cancelling', 'succeeded', 'failed', 'expired', 'cancelled');

create type delivery_state as enum ('received', 'failed', 'noted', 'decided', 'continued', 'surpassed');

create table attempts (
  tenant_id  uuid not null,
  call_id    uuid not null,
  retention  smallint not null,
  attempt    smallint not null,
  epoch      integer not null,
  outcome    text not null,
  node_id    integer,
  started_at timestamp with time zone not null,
  ended_at   timestamp with time zone not null,
  output     text,
  error      text
) partition by list (retention);
alter table attempts enable row level security;
alter table attempts force row level security;

create table audit_entries (
  tenant_id  uuid not null,
  entry_id   uuid not null,
  at         timestamp with time zone not null default now(),
  actor_id   uuid,
  token_id   uuid,
  address    text,
  resource   text not null,
  action     text not null,
  target     text,
  outcome    text not null,
  changes    jsonb not null default '{}'::jsonb,
  request_id text
);
alter table audit_entries enable row level security;
alter table audit_entries force row level security;

create table call_groups (
  tenant_id uuid not null,
  group_id  uuid not null,
  pending   integer not null,
  emptied   timestamp with time zone,
  details   text not null
) with (fillfactor=50);
alter table call_groups enable row level security;
alter table call_groups force row level security;

create table callback_deliveries (
  tenant_id   uuid not null,
  call_id     uuid not null,
  delivery_id uuid not null,
  name        text not null,
  digest      bytea not null,
  method      text not null,
  address     text not null,
  size        integer not null,
  content     bytea not null,
  received_at timestamp with time zone not null default clock_timestamp(),
  state       delivery_state not null default 'received'::delivery_state,
  tries       smallint not null default 0,
  lease_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  outcome     text,
  progress    text,
  answer      bytea,
  settled_at  timestamp with time zone
);
alter table callback_deliveries enable row level security;
alter table callback_deliveries force row level security;

create table callbacks (
  tenant_id  uuid not null,
  call_id    uuid not null,
  name       text not null,
  kind       text not null,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone not null default clock_timestamp()
);
alter table callbacks enable row level security;
alter table callbacks force row level security;

create table calls (
  tenant_id    uuid not null,
  call_id      uuid not null,
  retention    smallint not null,
  principal_id uuid,
  action       text not null,
  target       text not null,
  input        text not null,
  details      text,
  run_id       uuid,
  group_id     uuid,
  deadline     timestamp with time zone,
  created_at   timestamp with time zone not null default clock_timestamp()
) partition by list (retention);
alter table calls enable row level security;
alter table calls force row level security;

create table consumer_members (
  topic       text not null,
  consumer    text not null,
  member      uuid not null,
  lease_until timestamp with time zone not null
) with (fillfactor=50);

create table consumer_partitions (
  topic          text not null,
  consumer       text not null,
  partition      smallint not null,
  transaction_id bigint not null,
  position       bigint not null,
  epoch          integer not null default 0,
  member         uuid,
  lease_until    timestamp with time zone not null default '-infinity'::timestamp with time zone,
  blocked_since  timestamp with time zone,
  blocked_by     text
) with (fillfactor=50);

create table data_keys (
  tenant_id  uuid not null,
  key_id     uuid not null,
  generation integer not null,
  master_id  text not null,
  wrapped    bytea not null,
  created_at timestamp with time zone not null default now()
);
alter table data_keys enable row level security;
alter table data_keys force row level security;

create table ended_calls (
  tenant_id    uuid not null,
  call_id      uuid not null,
  retention    smallint not null,
  action       text not null,
  state        call_state not null,
  reason       text,
  attempts     smallint not null,
  principal_id uuid,
  run_id       uuid,
  ended_at     timestamp with time zone not null default clock_timestamp()
) partition by list (retention);
alter table ended_calls enable row level security;
alter table ended_calls force row level security;

create table events (
  tenant_id      uuid not null,
  transaction_id bigint not null default ((pg_current_xact_id())::text)::bigint,
  position       bigint not null generated always as identity,
  topic          text not null default 'events'::text,
  key            text not null,
  slot           smallint not null default ((hashtextextended(key, (7004)::bigint) & (32767)::bigint))::smallint,
  type           text not null,
  event_id       text not null default (gen_random_uuid())::text,
  at             timestamp with time zone not null default clock_timestamp(),
  subject        text,
  actor          text,
  correlation    text,
  causation      text,
  attributes     text,
  data           text
) partition by range (at);
alter table events enable row level security;
alter table events force row level security;

create table idempotency_keys (
  tenant_id    uuid not null,
  principal_id uuid not null,
  key_digest   bytea not null,
  body_digest  bytea not null,
  call_id      uuid not null,
  expires_at   timestamp with time zone not null
);
alter table idempotency_keys enable row level security;
alter table idempotency_keys force row level security;

create table migrations (
  version    integer not null,
  name       text not null,
  digest     text not null,
  applied_at timestamp with time zone not null default now()
);

create table nodes (
  node_id     integer not null generated always as identity,
  started_at  timestamp with time zone not null default now(),
  lease_until timestamp with time zone not null
) with (fillfactor=50);

create table parked_events (
  tenant_id      uuid not null,
  topic          text not null,
  consumer       text not null,
  partition      smallint not null,
  transaction_id bigint not null,
  position       bigint not null,
  key            text not null,
  state          text not null,
  attempts       smallint not null,
  due            timestamp with time zone not null,
  code           text,
  event          text not null,
  parked_at      timestamp with time zone not null default clock_timestamp()
) with (fillfactor=70);
alter table parked_events enable row level security;
alter table parked_events force row level security;

create table principals (
  tenant_id    uuid not null,
  principal_id uuid not null,
  kind         text not null,
  name         text not null,
  created_at   timestamp with time zone not null default now()
);
alter table principals enable row level security;
alter table principals force row level security;

create table store (
  only_one         boolean not null default true,
  id               uuid not null default gen_random_uuid(),
  created_at       timestamp with time zone not null default now(),
  master_key_check bytea
);

create table tenant_usage (
  tenant_id uuid not null,
  day       date not null,
  node_id   integer not null,
  accepted  bigint not null default 0,
  bytes     bigint not null default 0
) with (fillfactor=50);
alter table tenant_usage enable row level security;
alter table tenant_usage force row level security;

create table tenants (
  tenant_id  uuid not null,
  name       text not null,
  created_at timestamp with time zone not null default now()
);
alter table tenants enable row level security;
alter table tenants force row level security;

create table tokens (
  tenant_id    uuid not null,
  token_id     uuid not null,
  principal_id uuid not null,
  name         text not null,
  digest       bytea not null,
  permissions  text[] not null,
  created_at   timestamp with time zone not null default now(),
  expires_at   timestamp with time zone
);
alter table tokens enable row level security;
alter table tokens force row level security;

create table topics (
  topic           text not null,
  partitions      smallint not null,
  dropped_through bigint not null default 0
);

create table unfinished_calls (
  tenant_id uuid not null,
  call_id   uuid not null,
  state     call_state not null,
  epoch     integer not null default 1,
  attempt   smallint not null default 0,
  node_id   integer,
  crashes   smallint not null default 0,
  lane      bigint not null,
  ready     boolean not null,
  due       timestamp with time zone,
  deadline  timestamp with time zone,
  group_id  uuid,
  job_key   uuid,
  reason    text
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000, autovacuum_vacuum_insert_scale_factor=0, autovacuum_vacuum_insert_threshold=50000, autovacuum_analyze_scale_factor=0, autovacuum_analyze_threshold=20000, autovacuum_vacuum_cost_delay=0);
alter table unfinished_calls enable row level security;
alter table unfinished_calls force row level security;

-- Constraints

alter table attempts add constraint attempts_pkey PRIMARY KEY (retention, call_id, attempt, epoch);
alter table attempts add constraint attempts_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'unknown'::text, 'waiting'::text, 'late'::text])));
alter table audit_entries add constraint audit_entries_pkey PRIMARY KEY (tenant_id, entry_id);
alter table audit_entries add constraint audit_entries_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id);
alter table audit_entries add constraint audit_entries_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'refused'::text, 'failed'::text])));
alter table call_groups add constraint call_groups_pkey PRIMARY KEY (group_id);
alter table call_groups add constraint call_groups_pending_check CHECK ((pending >= 0));
alter table callback_deliveries add constraint callback_deliveries_call_id_name_digest_key UNIQUE (call_id, name, digest);
alter table callback_deliveries add constraint callback_deliveries_pkey PRIMARY KEY (delivery_id);
alter table callback_deliveries add constraint callback_deliveries_call_id_name_fkey FOREIGN KEY (call_id, name) REFERENCES callbacks(call_id, name) ON DELETE CASCADE;
alter table callbacks add constraint callbacks_pkey PRIMARY KEY (call_id, name);
alter table callbacks add constraint callbacks_kind_check CHECK ((kind = ANY (ARRAY['webhook'::text, 'redirect'::text])));
alter table calls add constraint calls_pkey PRIMARY KEY (retention, call_id);
alter table consumer_members add constraint consumer_members_pkey PRIMARY KEY (topic, consumer, member);
alter table consumer_partitions add constraint consumer_partitions_pkey PRIMARY KEY (topic, consumer, partition);
alter table consumer_partitions add constraint consumer_partitions_topic_fkey FOREIGN KEY (topic) REFERENCES topics(topic);
alter table data_keys add constraint data_keys_tenant_id_generation_key UNIQUE (tenant_id, generation);
alter table data_keys add constraint data_keys_pkey PRIMARY KEY (key_id);
alter table data_keys add constraint data_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id);
alter table data_keys add constraint data_keys_generation_check CHECK ((generation > 0));
alter table ended_calls add constraint ended_calls_pkey PRIMARY KEY (retention, call_id);
alter table ended_calls add constraint ended_calls_state_check CHECK ((state = ANY (ARRAY['succeeded'::call_state, 'failed'::call_state, 'expired'::call_state, 'cancelled'::call_state])));
alter table idempotency_keys add constraint idempotency_keys_pkey PRIMARY KEY (tenant_id, principal_id, key_digest);
alter table migrations add constraint migrations_pkey PRIMARY KEY (version);
alter table nodes add constraint nodes_pkey PRIMARY KEY (node_id);
alter table parked_events add constraint parked_events_pkey PRIMARY KEY (topic, consumer, transaction_id, "position");
alter table parked_events add constraint parked_events_state_check CHECK ((state = ANY (ARRAY['retrying'::text, 'dead'::text])));
alter table principals add constraint principals_tenant_id_kind_name_key UNIQUE (tenant_id, kind, name);
alter table principals add constraint principals_pkey PRIMARY KEY (tenant_id, principal_id);
alter table principals add constraint principals_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id);
alter table principals add constraint principals_kind_check CHECK ((kind = ANY (ARRAY['user'::text, 'service'::text, 'agent'::text])));
alter table principals add constraint principals_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)));
alter table store add constraint store_pkey PRIMARY KEY (only_one);
alter table store add constraint store_only_one_check CHECK (only_one);
alter table tenant_usage add constraint tenant_usage_pkey PRIMARY KEY (tenant_id, day, node_id);
alter table tenants add constraint tenants_name_key UNIQUE (name);
alter table tenants add constraint tenants_pkey PRIMARY KEY (tenant_id);
alter table tenants add constraint tenants_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text));
alter table tokens add constraint tokens_digest_key UNIQUE (digest);
alter table tokens add constraint tokens_pkey PRIMARY KEY (token_id);
alter table tokens add constraint tokens_tenant_id_principal_id_fkey FOREIGN KEY (tenant_id, principal_id) REFERENCES principals(tenant_id, principal_id);
alter table tokens add constraint tokens_digest_check CHECK ((length(digest) = 32));
alter table tokens add constraint tokens_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)));
alter table topics add constraint topics_pkey PRIMARY KEY (topic);
alter table topics add constraint topics_partitions_check CHECK (((partitions >= 1) AND (partitions <= 1024)));
alter table unfinished_calls add constraint unfinished_calls_pkey PRIMARY KEY (call_id);

-- Indexes

CREATE INDEX call_groups_due ON call_groups USING btree (emptied) WHERE pending = 0;
CREATE INDEX callback_deliveries_open ON callback_deliveries USING btree (received_at) WHERE state = ANY (ARRAY['received'::delivery_state, 'decided'::delivery_state]);
CREATE INDEX ended_calls_by_tenant ON ONLY ended_calls USING btree (tenant_id, call_id);
CREATE INDEX events_in_order ON ONLY events USING btree (transaction_id, "position");
CREATE INDEX idempotency_keys_expiry ON idempotency_keys USING btree (expires_at);
CREATE INDEX parked_events_retrying ON parked_events USING btree (topic, consumer, partition) WHERE state = 'retrying'::text;
CREATE INDEX tokens_by_tenant ON tokens USING btree (tenant_id, token_id);
CREATE INDEX unfinished_cancelling ON unfinished_calls USING btree (node_id) WHERE state = 'cancelling'::call_state;
CREATE INDEX unfinished_deadline ON unfinished_calls USING btree (deadline) WHERE deadline IS NOT NULL;
CREATE INDEX unfinished_due ON unfinished_calls USING btree (due) WHERE (state = ANY (ARRAY['queued'::call_state, 'waiting'::call_state])) AND NOT ready;
CREATE INDEX unfinished_held ON unfinished_calls USING btree (tenant_id, call_id) WHERE state = 'held'::call_state;
CREATE INDEX unfinished_jobs ON unfinished_calls USING btree (job_key) WHERE job_key IS NOT NULL;
CREATE INDEX unfinished_ready ON unfinished_calls USING btree (lane, call_id) WHERE state = 'queued'::call_state AND ready;

-- Policies

create policy all_tenants on attempts for all to linkspan_hub using (true);
create policy own_tenant on attempts for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on audit_entries for all to linkspan_hub using (true);
create policy own_tenant on audit_entries for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on call_groups for all to linkspan_hub using (true);
create policy own_tenant on call_groups for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on callback_deliveries for all to linkspan_hub using (true);
create policy own_tenant on callback_deliveries for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on callbacks for all to linkspan_hub using (true);
create policy own_tenant on callbacks for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on calls for all to linkspan_hub using (true);
create policy own_tenant on calls for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on data_keys for all to linkspan_hub using (true);
create policy own_tenant on data_keys for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on ended_calls for all to linkspan_hub using (true);
create policy own_tenant on ended_calls for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on events for all to linkspan_hub using (true);
create policy own_tenant on events for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on idempotency_keys for all to linkspan_hub using (true);
create policy own_tenant on idempotency_keys for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on parked_events for all to linkspan_hub using (true);
create policy own_tenant on parked_events for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on principals for all to linkspan_hub using (true);
create policy own_tenant on principals for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on tenant_usage for all to linkspan_hub using (true);
create policy own_tenant on tenant_usage for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on tenants for all to linkspan_hub using (true);
create policy own_tenant on tenants for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on tokens for all to linkspan_hub using (true);
create policy own_tenant on tokens for all to linkspan_api using ((tenant_id = current_tenant()));
create policy all_tenants on unfinished_calls for all to linkspan_hub using (true);
create policy own_tenant on unfinished_calls for all to linkspan_api using ((tenant_id = current_tenant()));

-- Grants

grant delete, insert, select on attempts to linkspan_hub;
grant delete, insert, select on callbacks to linkspan_hub;
grant delete, insert, select on calls to linkspan_hub;
grant delete, insert, select on ended_calls to linkspan_hub;
grant delete, insert, select on tokens to linkspan_api;
grant delete, insert, select, update on call_groups to linkspan_hub;
grant delete, insert, select, update on consumer_members to linkspan_hub;
grant delete, insert, select, update on idempotency_keys to linkspan_hub;
grant delete, insert, select, update on nodes to linkspan_hub;
grant delete, insert, select, update on parked_events to linkspan_hub;
grant delete, insert, select, update on tenant_usage to linkspan_hub;
grant delete, insert, select, update on unfinished_calls to linkspan_hub;
grant insert, select on audit_entries to linkspan_api;
grant insert, select on audit_entries to linkspan_hub;
grant insert, select on callbacks to linkspan_api;
grant insert, select on data_keys to linkspan_hub;
grant insert, select on events to linkspan_api;
grant insert, select on events to linkspan_hub;
grant insert, select on principals to linkspan_api;
grant insert, select on principals to linkspan_hub;
grant insert, select on tenants to linkspan_hub;
grant insert, select on tokens to linkspan_hub;
grant insert, select on topics to linkspan_hub;
grant insert, select, update on callback_deliveries to linkspan_api;
grant insert, select, update on callback_deliveries to linkspan_hub;
grant insert, select, update on consumer_partitions to linkspan_hub;
grant select on attempts to linkspan_api;
grant select on call_groups to linkspan_api;
grant select on calls to linkspan_api;
grant select on ended_calls to linkspan_api;
grant select on migrations to linkspan_hub;
grant select on parked_events to linkspan_api;
grant select on store to linkspan_hub;
grant select on tenant_usage to linkspan_api;
grant select on tenants to linkspan_api;
grant select on unfinished_calls to linkspan_api;
grant update (master_id, wrapped) on data_keys to linkspan_hub;
grant update (master_key_check) on store to linkspan_hub;

-- Functions

CREATE OR REPLACE FUNCTION cancel_scheduled(p_job uuid)
 RETURNS SETOF uuid
 LANGUAGE sql
AS $function$
  with gone as (
    delete from unfinished_calls where job_key = p_job and state = 'queued' returning *
  ), history as (
    insert into ended_calls (tenant_id, call_id, retention, action, state, reason, attempts, principal_id, run_id)
    select c.tenant_id, c.call_id, c.retention, c.action, 'cancelled', 'replaced', g.attempt, c.principal_id, c.run_id
    from gone g join calls c on c.retention = retention_of(g.call_id) and c.call_id = g.call_id
    returning *
  ), told as (
    insert into events (tenant_id, key, type, subject, actor, correlation, data)
    select tenant_id, call_id::text, 'linkspan.call.ended', call_id::text, principal_id::text, run_id::text,
           told_of(action, state, attempts, reason)
    from history
  ), counted as (
    update call_groups c set pending = c.pending - n.ended, emptied = case when c.pending = n.ended then clock_timestamp() end
    from (select group_id, count(*)::integer as ended from gone where group_id is not null group by group_id) n
    where c.group_id = n.group_id
  )
  select call_id from gone;
$function$;
CREATE OR REPLACE FUNCTION claim_calls(p_node integer, p_room integer, p_lanes integer, p_lane bigint[], p_lane_room integer[], p_after bigint)
 RETURNS TABLE(call_id uuid, tenant_id uuid, principal_id uuid, action text, target text, input text, details text, run_id uuid, group_id uuid, deadline timestamp with time zone, epoch integer, attempt smallint, state call_state, reason text, crashes smallint, lane bigint)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
declare
  blocked bigint[] := array(select n.lane from unnest(p_lane, p_lane_room) as n(lane, room) where n.room <= 0);
begin
  if not exists (select from nodes n where n.node_id = p_node and n.lease_until > clock_timestamp()) then return; end if;
  return query
    with recursive turn (lane, nth) as (
      (select u.lane, 1 from unfinished_calls u
       where u.state = 'queued' and u.ready and u.lane > p_after and u.lane <> all (blocked)
       order by u.lane limit 1)
      union all
      select next.lane, turn.nth + 1 from turn cross join lateral (
        select u.lane from unfinished_calls u
        where u.state = 'queued' and u.ready and u.lane > turn.lane and u.lane <> all (blocked)
        order by u.lane limit 1
      ) next
      where turn.nth < p_lanes
    ), picked as (
      select p.call_id from turn cross join lateral (
        select u.call_id from unfinished_calls u
        where u.state = 'queued' and u.ready and u.lane = turn.lane
        order by u.call_id
        limit least((p_room - 1) / (select count(*) from turn) + 1,
                    (select min(n.room) from unnest(p_lane, p_lane_room) as n(lane, room) where n.lane = turn.lane))
        for update skip locked
      ) p
      limit p_room
    ), u as (
      update unfinished_calls u
      set state = 'running', node_id = p_node, epoch = u.epoch + 1, attempt = u.attempt + 1, ready = false, due = null
      from picked where u.call_id = picked.call_id
      returning u.*
    )
    select c.call_id, c.tenant_id, c.principal_id, c.action, c.target, c.input, c.details, c.run_id, c.group_id, c.deadline,
           u.epoch, u.attempt, u.state, u.reason, u.crashes, u.lane
    from u join calls c on c.retention = retention_of(u.call_id) and c.call_id = u.call_id
    order by u.lane, u.call_id;
end $function$;
CREATE OR REPLACE FUNCTION commit_calls(p_node integer, m_call uuid[], m_retention smallint[], m_epoch integer[], m_to call_state[], m_delay bigint[], m_reason text[], m_action text[], m_principal uuid[], m_run uuid[], m_outcome text[], m_started bigint[], m_ended bigint[], m_output text[], m_error text[], g_group uuid[], a_call uuid[], a_retention smallint[], a_parent uuid[], a_owned boolean[], a_tenant uuid[], a_principal uuid[], a_action text[], a_target text[], a_lane bigint[], a_input text[], a_details text[], a_run uuid[], a_group uuid[], a_group_details text[], a_delay bigint[], a_deadline bigint[], a_job uuid[], a_mode text[], a_key bytea[], a_body bytea[], a_key_life bigint[], a_request text[], a_token uuid[], a_address text[])
 RETURNS TABLE(kind text, id uuid, state text, ref uuid)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
declare
  done uuid[] := '{}';
  states text[];
  empty uuid[];
  groups uuid[];
  fresh uuid[];
  made_here uuid[] := '{}';
  left_out uuid[];
  alive boolean;
  job record;
  other uuid;
begin
  if cardinality(m_call) > 0 then
    with m as (
      select * from unnest(m_call, m_retention, m_epoch, m_to, m_delay, m_reason, m_action, m_principal, m_run,
                           m_outcome, m_started, m_ended, m_output, m_error)
        as m(call_id, retention, epoch, next, delay, reason, action, principal_id, run_id,
             outcome, started, ended, output, error)
    ), gone as (
      delete from unfinished_calls u using m
      where u.call_id = m.call_id and u.epoch = m.epoch
        and m.next in ('succeeded', 'failed', 'expired', 'cancelled')
        and (u.state <> 'cancelling' or m.next = 'cancelled')
      returning u.tenant_id, u.attempt, u.group_id, m.*
    ), kept as (
      update unfinished_calls u
      set state = m.next, epoch = u.epoch + 1,
          node_id = case when m.next = 'continuing' then p_node end,
          ready = m.next = 'queued' and m.delay is null,
          due = clock_timestamp() + m.delay * interval '1 millisecond', reason = m.reason
      from m
      where u.call_id = m.call_id and u.epoch = m.epoch
        and m.next not in ('succeeded', 'failed', 'expired', 'cancelled')
        and (u.state <> 'cancelling' or (m.next = 'continuing' and m.reason = 'cancelled'))
      returning u.tenant_id, u.attempt, u.group_id, m.*
    ), moved as (
      select * from gone union all select * from kept
    ), journal as (
      insert into attempts (tenant_id, call_id, retention, attempt, epoch, outcome, node_id, started_at, ended_at, output, error)
      select tenant_id, call_id, retention, attempt, epoch, outcome, p_node,
             to_timestamp(started / 1000.0), to_timestamp(ended / 1000.0), output, error
      from moved where outcome is not null
    ), history as (
      insert into ended_calls (tenant_id, call_id, retention, action, state, reason, attempts, principal_id, run_id)
      select tenant_id, call_id, retention, action, next, reason, attempt, principal_id, run_id from gone
    ), told as (
      insert into events (tenant_id, key, type, subject, actor, correlation, data)
      select tenant_id, call_id::text, case next when 'held' then 'linkspan.call.held' else 'linkspan.call.ended' end,
             call_id::text, principal_id::text, run_id::text, told_of(action, next, attempt, reason)
      from moved where next in ('held', 'succeeded', 'failed', 'expired', 'cancelled')
    )
    select array_agg(call_id), array_agg(next::text), (select array_agg(group_id) from gone where group_id is not null)
    from moved into done, states, groups;
    done := coalesce(done, '{}');
    return query select 'moved', d.id, d.state, null::uuid from unnest(done, states) as d(id, state);
    if groups is not null then
      return query select 'emptied', e.id, null, null::uuid from count_out(groups) as e(id);
    end if;
  end if;

  if cardinality(g_group) > 0 then
    with gone as (delete from call_groups c where c.group_id = any (g_group) and c.pending = 0 returning c.group_id)
    select array_agg(group_id) from gone into empty;
    done := done || coalesce(empty, '{}');
    return query select 'moved', e.id, 'succeeded', null::uuid from unnest(empty) as e(id);
  end if;

  if cardinality(a_call) = 0 then return; end if;

  -- What was to follow a move that did not hold leaves no trace: no key, no replaced job.
  select coalesce(array_agg(a.call_id), '{}') from unnest(a_call, a_parent) as a(call_id, parent)
  where a.parent is not null and not a.parent = any (done) into left_out;

  if array_length(array_remove(a_key, null), 1) > 0 then
    delete from idempotency_keys k using unnest(a_tenant, a_principal, a_key) as a(tenant_id, principal_id, key)
    where k.tenant_id = a.tenant_id and k.principal_id = a.principal_id and k.key_digest = a.key
      and k.expires_at < clock_timestamp();
    insert into idempotency_keys (tenant_id, principal_id, key_digest, body_digest, call_id, expires_at)
    select a.tenant_id, a.principal_id, a.key, a.body, a.call_id, clock_timestamp() + a.life * interval '1 millisecond'
    from unnest(a_call, a_tenant, a_principal, a_key, a_body, a_key_life) as a(call_id, tenant_id, principal_id, key, body, life)
    where a.key is not null and not a.call_id = any (left_out)
    order by a.tenant_id, a.principal_id, a.key
    on conflict do nothing;
    -- A second statement: the winner of a conflict is invisible to the snapshot of the insert (engine rule 8).
    for job in
      select a.call_id, k.call_id as winner, k.body_digest = a.body as same
      from unnest(a_call, a_tenant, a_principal, a_key, a_body) as a(call_id, tenant_id, principal_id, key, body)
      join idempotency_keys k on k.tenant_id = a.tenant_id and k.principal_id = a.principal_id and k.key_digest = a.key
      where k.call_id <> a.call_id and not a.call_id = any (left_out)
    loop
      left_out := left_out || job.call_id;
      return query select 'joined', job.call_id, case when job.same then 'same' else 'other' end, job.winner;
    end loop;
  end if;

  select exists (select from nodes n where n.node_id = p_node and n.lease_until > clock_timestamp()) into alive;

  -- All that is no job at once. Jobs are few and their rules look at one another, so they follow one by one, each whole
  -- and behind the lock of its key.
  for job in
    select null::uuid as call_id, null::uuid as job_key, null::text as mode, 1 as first, cardinality(a_call) as last
    union all
    select a.call_id, a.job_key, a.mode, a.nth::integer, a.nth::integer
    from unnest(a_call, a_job, a_mode, a_retention) with ordinality as a(call_id, job_key, mode, retention, nth)
    where a.job_key is not null and not a.call_id = any (left_out)
      and not was_accepted(a.retention, a.call_id)
    order by job_key nulls first, first
  loop
    if job.call_id is not null then
      perform pg_advisory_xact_lock(hashtextextended(job.job_key::text, 7004));
      if job.mode = 'replace' then
        return query select 'replaced', r.id, null, job.call_id from cancel_scheduled(job.job_key) as r(id);
      elsif job.mode in ('if_not_scheduled', 'if_not_running') then
        select u.call_id from unfinished_calls u
        where u.job_key = job.job_key and (job.mode = 'if_not_running' or u.state = 'queued')
        order by u.call_id limit 1 into other;
        if found then
          left_out := left_out || job.call_id;
          -- Its idempotency key, if it has one, leads to the call it joined.
          update idempotency_keys k set call_id = other
          where k.tenant_id = a_tenant[job.first] and k.principal_id = a_principal[job.first] and k.key_digest = a_key[job.first];
          return query select 'joined', job.call_id, 'same', other;
          continue;
        end if;
      end if;
    end if;

    with a as (
      select * from unnest(
          a_call[job.first:job.last], a_retention[job.first:job.last], a_owned[job.first:job.last],
          a_tenant[job.first:job.last], a_principal[job.first:job.last], a_action[job.first:job.last],
          a_target[job.first:job.last], a_lane[job.first:job.last], a_input[job.first:job.last],
          a_details[job.first:job.last], a_run[job.first:job.last], a_group[job.first:job.last],
          a_group_details[job.first:job.last], a_delay[job.first:job.last], a_deadline[job.first:job.last],
          a_job[job.first:job.last], a_request[job.first:job.last], a_token[job.first:job.last], a_address[job.first:job.last])
        as a(call_id, retention, owned, tenant_id, principal_id, action, target, lane, input,
             details, run_id, group_id, group_details, delay, deadline, job_key, request_id, token_id, address)
      where not a.call_id = any (left_out) and a.job_key is not distinct from job.job_key
    ), made as (
      insert into calls (tenant_id, call_id, retention, principal_id, action, target, input, details, run_id, group_id, deadline)
      select tenant_id, call_id, retention, principal_id, action, target, input, details, run_id, group_id,
             clock_timestamp() + deadline * interval '1 millisecond'
      from a
      on conflict do nothing
      returning call_id
    ), placed as (
      select a.*, owned and alive and job_key is null as starts from a join made using (call_id)
    ), unfinished as (
      insert into unfinished_calls (tenant_id, call_id, state, attempt, node_id, lane, ready, due, deadline, group_id, job_key)
      select tenant_id, call_id, (case when starts then 'running' else 'queued' end)::call_state,
             starts::integer, case when starts then p_node end,
             lane, delay is null and not starts, clock_timestamp() + delay * interval '1 millisecond',
             clock_timestamp() + deadline * interval '1 millisecond', group_id, job_key
      from placed
    ), noted as (
      insert into audit_entries (tenant_id, entry_id, actor_id, token_id, address, request_id, resource, action, target, outcome, changes)
      select tenant_id, call_id, principal_id, token_id, address, request_id, 'call', 'accept', call_id::text, 'succeeded',
             jsonb_build_object('action', action)
      from placed where request_id is not null
    )
    select array_agg(call_id) from made into fresh;
    made_here := made_here || fresh;
    if array_length(array_remove(a_group, null), 1) > 0 then
      insert into call_groups (tenant_id, group_id, pending, details)
      select a.tenant_id, a.group_id, count(*), min(a.details)
      from unnest(a_call, a_tenant, a_group, a_group_details) as a(call_id, tenant_id, group_id, details)
      where a.group_id is not null and a.call_id = any (fresh) group by a.tenant_id, a.group_id order by a.group_id
      on conflict (group_id) do update set pending = call_groups.pending + excluded.pending, emptied = null;
    end if;
  end loop;

  return query
    select case when a.call_id = any (made_here) then 'accepted' else 'exists' end, a.call_id,
           case when a.owned and alive and a.job_key is null then 'running' else 'queued' end, null::uuid
    from unnest(a_call, a_owned, a_job) as a(call_id, owned, job_key)
    where not a.call_id = any (left_out);
end $function$;
CREATE OR REPLACE FUNCTION count_out(p_groups uuid[])
 RETURNS SETOF uuid
 LANGUAGE sql
AS $function$
  with counted as (
    update call_groups c set pending = c.pending - n.ended, emptied = case when c.pending = n.ended then clock_timestamp() end
    from (select g as group_id, count(*)::integer as ended from unnest(p_groups) g group by g order by g) n
    where c.group_id = n.group_id
    returning c.group_id, c.pending
  )
  select group_id from counted where pending = 0;
$function$;
CREATE OR REPLACE FUNCTION current_tenant()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (NULLIF(current_setting('linkspan.tenant'::text, true), ''::text))::uuid;
CREATE OR REPLACE FUNCTION retention_of(call_id uuid)
 RETURNS smallint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN ((get_byte(uuid_send(call_id), 6) & 15))::smallint;
CREATE OR REPLACE FUNCTION told_of(p_action text, p_state call_state, p_attempts smallint, p_reason text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select '{"action":"' || p_action
    || case p_state when 'held' then '"' else '","state":"' || p_state || '","attempts":' || p_attempts end
    || ',"reason":' || coalesce(to_json(p_reason)::text, 'null') || '}';
$function$;
CREATE OR REPLACE FUNCTION was_accepted(p_retention smallint, p_call uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select exists (select from calls c where c.retention = p_retention and c.call_id = p_call);
$function$;
