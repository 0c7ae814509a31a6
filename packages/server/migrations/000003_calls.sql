-- The engine: calls, what is unfinished, the journal of attempts, what has ended; nodes and their leases.
--
-- No wide row is ever updated. `calls`, `attempts` and `ended_calls` are only inserted into, and leave by partition.
-- "Unfinished" is the existence of a narrow row, which every transition compares and sets by its epoch.

create type call_state as enum (
  'queued', 'running', 'waiting', 'held', 'continuing', 'cancelling', 'succeeded', 'failed', 'expired', 'cancelled'
);

-- Hub processes. A call is leased to its owner for as long as the owner's own lease lasts, by this server's clock.
create table nodes (
  node_id     integer     primary key generated always as identity,
  started_at  timestamptz not null default now(),
  lease_until timestamptz not null
) with (fillfactor = 50);
grant select, insert, update, delete on nodes to linkspan_hub;

-- `retention` is also part of every call's id, so that a look-up by id needs to read one partition only.
create table calls (
  tenant_id    uuid        not null,
  call_id      uuid        not null,
  retention    smallint    not null,
  principal_id uuid,
  action       text        not null,
  target       text        not null,
  input        text        not null,
  -- What is only stored and read back whole: policy, context, step, the call this one redrives.
  details      text,
  run_id       uuid,
  group_id     uuid,
  deadline     timestamptz,
  created_at   timestamptz not null default clock_timestamp(),
  primary key (retention, call_id)
) partition by list (retention);
alter table calls enable row level security;
alter table calls force row level security;
create policy own_tenant on calls to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on calls to linkspan_hub using (true);
grant select on calls to linkspan_api;
grant select, insert, delete on calls to linkspan_hub;

create table attempts (
  tenant_id  uuid        not null,
  call_id    uuid        not null,
  retention  smallint    not null,
  attempt    smallint    not null,
  -- Of the ownership it was made under. A late outcome of a lost ownership stands beside the one that replaced it.
  epoch      integer     not null,
  outcome    text        not null check (outcome in ('succeeded', 'failed', 'unknown', 'waiting', 'late')),
  node_id    integer,
  started_at timestamptz not null,
  ended_at   timestamptz not null,
  output     text,
  error      text,
  primary key (retention, call_id, attempt, epoch)
) partition by list (retention);
alter table attempts enable row level security;
alter table attempts force row level security;
create policy own_tenant on attempts to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on attempts to linkspan_hub using (true);
grant select on attempts to linkspan_api;
grant select, insert, delete on attempts to linkspan_hub;

-- Narrow: lists filter here, never in the payloads.
create table ended_calls (
  tenant_id    uuid        not null,
  call_id      uuid        not null,
  retention    smallint    not null,
  action       text        not null,
  state        call_state  not null check (state in ('succeeded', 'failed', 'expired', 'cancelled')),
  reason       text,
  attempts     smallint    not null,
  principal_id uuid,
  run_id       uuid,
  ended_at     timestamptz not null default clock_timestamp(),
  primary key (retention, call_id)
) partition by list (retention);
create index ended_calls_by_tenant on ended_calls (tenant_id, call_id);
alter table ended_calls enable row level security;
alter table ended_calls force row level security;
create policy own_tenant on ended_calls to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on ended_calls to linkspan_hub using (true);
grant select on ended_calls to linkspan_api;
grant select, insert, delete on ended_calls to linkspan_hub;

-- A partition for each retention class (1 brief, 2 standard, 3 long), and below it one for each span of ids, made ahead
-- and dropped when it is over. What outlives its span is copied to the rest before (engine rule 9).
do $$
declare
  parent text;
begin
  foreach parent in array array['calls', 'attempts', 'ended_calls'] loop
    for class in 1..3 loop
      execute format('create table %1$s_%2$s partition of %1$s for values in (%2$s) partition by range (call_id)', parent, class);
      execute format('create table %1$s_%2$s_rest partition of %1$s_%2$s default', parent, class);
    end loop;
  end loop;
end $$;

-- One row for each call that has not ended; the only rows the engine updates.
create table unfinished_calls (
  tenant_id   uuid        not null,
  call_id     uuid        primary key,
  state       call_state  not null,
  -- Fences: it grows with every transition, and no transition passes that names an older one.
  epoch       integer     not null default 1,
  attempt     smallint    not null default 0,
  node_id     integer,
  -- Attempts that ended with the death of their node.
  crashes     smallint    not null default 0,
  -- A digest of tenant and target; whoever claims goes round the lanes.
  lane        bigint      not null,
  -- Waits for a node with room. One that is not ready waits for `due`: a delay, a retry, the end of a wait.
  ready       boolean     not null,
  due         timestamptz,
  deadline    timestamptz,
  group_id    uuid,
  job_key     uuid,
  reason      text
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000, autovacuum_vacuum_cost_delay = 0
);
-- A call that is handed over in memory enters the primary key and none of these.
create index unfinished_ready on unfinished_calls (lane, call_id) where state = 'queued' and ready;
create index unfinished_due on unfinished_calls (due) where state in ('queued', 'waiting') and not ready;
create index unfinished_deadline on unfinished_calls (deadline) where deadline is not null;
create index unfinished_cancelling on unfinished_calls (node_id) where state = 'cancelling';
create index unfinished_held on unfinished_calls (tenant_id, call_id) where state = 'held';
create index unfinished_jobs on unfinished_calls (job_key) where job_key is not null;
alter table unfinished_calls enable row level security;
alter table unfinished_calls force row level security;
create policy own_tenant on unfinished_calls to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on unfinished_calls to linkspan_hub using (true);
grant select on unfinished_calls to linkspan_api;
grant select, insert, update, delete on unfinished_calls to linkspan_hub;

-- A group counts its calls that have not ended. Whoever takes the last one away leaves `pending = 0`, which is the
-- durable word that the group's continuation is due; the row is deleted in the commit that carries it out.
create table call_groups (
  tenant_id uuid        not null,
  group_id  uuid        primary key,
  pending   integer     not null check (pending >= 0),
  emptied   timestamptz,
  details   text        not null
) with (fillfactor = 50);
create index call_groups_due on call_groups (emptied) where pending = 0;
alter table call_groups enable row level security;
alter table call_groups force row level security;
create policy own_tenant on call_groups to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on call_groups to linkspan_hub using (true);
grant select on call_groups to linkspan_api;
grant select, insert, update, delete on call_groups to linkspan_hub;

create table idempotency_keys (
  tenant_id    uuid        not null,
  principal_id uuid        not null,
  -- SHA-256 of the key as the caller sent it, and of the request's body.
  key_digest   bytea       not null,
  body_digest  bytea       not null,
  call_id      uuid        not null,
  expires_at   timestamptz not null,
  primary key (tenant_id, principal_id, key_digest)
);
create index idempotency_keys_expiry on idempotency_keys (expires_at);
alter table idempotency_keys enable row level security;
alter table idempotency_keys force row level security;
create policy own_tenant on idempotency_keys to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on idempotency_keys to linkspan_hub using (true);
grant select, insert, update, delete on idempotency_keys to linkspan_hub;

-- What each node added to the use of its tenants. A row for each node, so that nobody waits for another's count.
create table tenant_usage (
  tenant_id uuid    not null,
  day       date    not null,
  node_id   integer not null,
  accepted  bigint  not null default 0,
  bytes     bigint  not null default 0,
  primary key (tenant_id, day, node_id)
) with (fillfactor = 50);
alter table tenant_usage enable row level security;
alter table tenant_usage force row level security;
create policy own_tenant on tenant_usage to linkspan_api using (tenant_id = current_tenant());
create policy all_tenants on tenant_usage to linkspan_hub using (true);
grant select on tenant_usage to linkspan_api;
grant select, insert, update, delete on tenant_usage to linkspan_hub;

-- The retention class lies in the four bits behind the version of a call's id.
create function retention_of(call_id uuid) returns smallint
  language sql immutable parallel safe
  return (get_byte(uuid_send(call_id), 6) & 15)::smallint;

-- What the events of ended and held calls say. The names of actions and states need no quoting.
create function told_of(p_action text, p_state call_state, p_attempts smallint, p_reason text) returns text
language sql immutable as $$
  select '{"action":"' || p_action
    || case p_state when 'held' then '"' else '","state":"' || p_state || '","attempts":' || p_attempts end
    || ',"reason":' || coalesce(to_json(p_reason)::text, 'null') || '}';
$$;

-- Whether a call was made before. A function, so that a batch without jobs does not prepare to look into every partition.
create function was_accepted(p_retention smallint, p_call uuid) returns boolean
language sql stable as $$
  select exists (select from calls c where c.retention = p_retention and c.call_id = p_call);
$$;

-- Takes ended calls out of their groups, one for each time a group is named; the groups that are empty now.
create function count_out(p_groups uuid[]) returns setof uuid
language sql as $$
  with counted as (
    update call_groups c set pending = c.pending - n.ended, emptied = case when c.pending = n.ended then clock_timestamp() end
    from (select g as group_id, count(*)::integer as ended from unnest(p_groups) g group by g order by g) n
    where c.group_id = n.group_id
    returning c.group_id, c.pending
  )
  select group_id from counted where pending = 0;
$$;

-- Cancels what is scheduled under a job key and has not started; the caller holds the key's lock.
create function cancel_scheduled(p_job uuid) returns setof uuid
language sql as $$
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
$$;

-- Takes ready calls over, a few of each lane, going round the lanes: so no tenant and no target waits behind another's
-- backlog. Steps from lane to lane in the index, whatever the length of the backlogs. `p_lane` names lanes that bear fewer
-- calls than `p_room`, `p_lane_room` how many; lanes up to `p_after` had their turn. A function, so that it is planned once.
create function claim_calls(
  p_node integer, p_room integer, p_lanes integer, p_lane bigint[], p_lane_room integer[], p_after bigint
) returns table (
  call_id uuid, tenant_id uuid, principal_id uuid, action text, target text, input text, details text, run_id uuid,
  group_id uuid, deadline timestamptz, epoch integer, attempt smallint, state call_state, reason text, crashes smallint,
  lane bigint
)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
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
end $$;

-- The group commit: everything that queued up at one writer, in one statement, one round trip, one commit (ADR 3).
--
-- Moves come first: each leaves the state its epoch names, or changes nothing. A call that somebody wants cancelled
-- moves nowhere else (`continuing` towards it, while what follows is worked out). Accepts follow: one with a parent is
-- made only when its parent moved here. Each statement below sees what the ones before it did (engine rule 1).
-- Doing all of it twice changes nothing the second time, because a commit can be lost to the caller (engine rule 2).
--
-- Answers one row for each thing that happened:
--   moved    id: call,  state: the one it has now
--   accepted id: call,  state: running (owned by p_node) or queued
--   exists   id: call:  it was accepted before
--   joined   id: call,  ref: the call that has its idempotency key or job key, state: same or other (body)
--   replaced id: a call that was scheduled under the same job key
--   emptied  id: group: its last call has ended
create function commit_calls(
  p_node integer,
  -- Moves. Delays are milliseconds from now, by this server's clock; times are milliseconds since the epoch.
  m_call uuid[], m_retention smallint[], m_epoch integer[], m_to call_state[], m_delay bigint[], m_reason text[],
  m_action text[], m_principal uuid[], m_run uuid[],
  m_outcome text[], m_started bigint[], m_ended bigint[], m_output text[], m_error text[],
  -- Groups whose continuation is carried out here.
  g_group uuid[],
  -- Accepts.
  a_call uuid[], a_retention smallint[], a_parent uuid[], a_owned boolean[], a_tenant uuid[], a_principal uuid[],
  a_action text[], a_target text[], a_lane bigint[], a_input text[], a_details text[], a_run uuid[],
  a_group uuid[], a_group_details text[], a_delay bigint[], a_deadline bigint[], a_job uuid[], a_mode text[],
  a_key bytea[], a_body bytea[], a_key_life bigint[],
  a_request text[], a_token uuid[], a_address text[]
) returns table (kind text, id uuid, state text, ref uuid)
language plpgsql
-- The narrow table is small when it is analysed and full of dead rows under load: every row is found by its key.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
-- And planned once: planning anew costs more than running it (0.66 against 0.31 ms for a single accept).
set plan_cache_mode = force_generic_plan
as $$
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
end $$;
