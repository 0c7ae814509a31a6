// Written from the system catalogs by `npm run generate`. Do not edit.
import type { ColumnType, Generated } from 'kysely';

export type Timestamp = ColumnType<Date, Date | string, Date | string>;
export type NullableTimestamp = ColumnType<
  Date | null,
  Date | string | null | undefined,
  Date | string | null
>;
export type GeneratedTimestamp = ColumnType<Date, Date | string | undefined, Date | string>;
export type Json = ColumnType<unknown, string, string>;
export type GeneratedJson = ColumnType<unknown, string | undefined, string>;

export type CallState =
  | 'queued'
  | 'running'
  | 'waiting'
  | 'held'
  | 'continuing'
  | 'cancelling'
  | 'succeeded'
  | 'failed'
  | 'expired'
  | 'cancelled';

export type DeliveryState = 'received' | 'failed' | 'noted' | 'decided' | 'continued' | 'surpassed';

export interface Attempts {
  tenant_id: string;
  call_id: string;
  retention: number;
  attempt: number;
  epoch: number;
  outcome: string;
  node_id: number | null;
  started_at: Timestamp;
  ended_at: Timestamp;
  output: string | null;
  error: string | null;
}

export interface AuditEntries {
  tenant_id: string;
  entry_id: string;
  at: GeneratedTimestamp;
  actor_id: string | null;
  token_id: string | null;
  address: string | null;
  resource: string;
  action: string;
  target: string | null;
  outcome: string;
  changes: GeneratedJson;
  request_id: string | null;
}

export interface CallGroups {
  tenant_id: string;
  group_id: string;
  pending: number;
  emptied: NullableTimestamp;
  details: string;
}

export interface CallbackDeliveries {
  tenant_id: string;
  call_id: string;
  delivery_id: string;
  name: string;
  digest: Buffer;
  method: string;
  address: string;
  size: number;
  content: Buffer;
  received_at: GeneratedTimestamp;
  state: Generated<DeliveryState>;
  tries: Generated<number>;
  lease_until: GeneratedTimestamp;
  outcome: string | null;
  progress: string | null;
  answer: Buffer | null;
  settled_at: NullableTimestamp;
}

export interface Callbacks {
  tenant_id: string;
  call_id: string;
  name: string;
  kind: string;
  expires_at: Timestamp;
  created_at: GeneratedTimestamp;
}

export interface Calls {
  tenant_id: string;
  call_id: string;
  retention: number;
  principal_id: string | null;
  action: string;
  target: string;
  input: string;
  details: string | null;
  run_id: string | null;
  group_id: string | null;
  deadline: NullableTimestamp;
  created_at: GeneratedTimestamp;
}

export interface ConsumerMembers {
  topic: string;
  consumer: string;
  member: string;
  lease_until: Timestamp;
}

export interface ConsumerPartitions {
  topic: string;
  consumer: string;
  partition: number;
  transaction_id: number;
  position: number;
  epoch: Generated<number>;
  member: string | null;
  lease_until: GeneratedTimestamp;
  blocked_since: NullableTimestamp;
  blocked_by: string | null;
}

export interface DataKeys {
  tenant_id: string;
  key_id: string;
  generation: number;
  master_id: string;
  wrapped: Buffer;
  created_at: GeneratedTimestamp;
}

export interface EndedCalls {
  tenant_id: string;
  call_id: string;
  retention: number;
  action: string;
  state: CallState;
  reason: string | null;
  attempts: number;
  principal_id: string | null;
  run_id: string | null;
  ended_at: GeneratedTimestamp;
}

export interface Events {
  tenant_id: string;
  transaction_id: Generated<number>;
  position: Generated<number>;
  topic: Generated<string>;
  key: string;
  slot: Generated<number>;
  type: string;
  event_id: Generated<string>;
  at: GeneratedTimestamp;
  subject: string | null;
  actor: string | null;
  correlation: string | null;
  causation: string | null;
  attributes: string | null;
  data: string | null;
}

export interface IdempotencyKeys {
  tenant_id: string;
  principal_id: string;
  key_digest: Buffer;
  body_digest: Buffer;
  call_id: string;
  expires_at: Timestamp;
}

export interface Migrations {
  version: number;
  name: string;
  digest: string;
  applied_at: GeneratedTimestamp;
}

export interface Nodes {
  node_id: Generated<number>;
  started_at: GeneratedTimestamp;
  lease_until: Timestamp;
}

export interface ParkedEvents {
  tenant_id: string;
  topic: string;
  consumer: string;
  partition: number;
  transaction_id: number;
  position: number;
  key: string;
  state: string;
  attempts: number;
  due: Timestamp;
  code: string | null;
  event: string;
  parked_at: GeneratedTimestamp;
}

export interface Principals {
  tenant_id: string;
  principal_id: string;
  kind: string;
  name: string;
  created_at: GeneratedTimestamp;
}

export interface Store {
  only_one: Generated<boolean>;
  id: Generated<string>;
  created_at: GeneratedTimestamp;
  master_key_check: Buffer | null;
}

export interface TenantUsage {
  tenant_id: string;
  day: Timestamp;
  node_id: number;
  accepted: Generated<number>;
  bytes: Generated<number>;
}

export interface Tenants {
  tenant_id: string;
  name: string;
  created_at: GeneratedTimestamp;
}

export interface Tokens {
  tenant_id: string;
  token_id: string;
  principal_id: string;
  name: string;
  digest: Buffer;
  permissions: string[];
  created_at: GeneratedTimestamp;
  expires_at: NullableTimestamp;
}

export interface Topics {
  topic: string;
  partitions: number;
  dropped_through: Generated<number>;
}

export interface UnfinishedCalls {
  tenant_id: string;
  call_id: string;
  state: CallState;
  epoch: Generated<number>;
  attempt: Generated<number>;
  node_id: number | null;
  crashes: Generated<number>;
  lane: number;
  ready: boolean;
  due: NullableTimestamp;
  deadline: NullableTimestamp;
  group_id: string | null;
  job_key: string | null;
  reason: string | null;
}

export interface DB {
  attempts: Attempts;
  audit_entries: AuditEntries;
  call_groups: CallGroups;
  callback_deliveries: CallbackDeliveries;
  callbacks: Callbacks;
  calls: Calls;
  consumer_members: ConsumerMembers;
  consumer_partitions: ConsumerPartitions;
  data_keys: DataKeys;
  ended_calls: EndedCalls;
  events: Events;
  idempotency_keys: IdempotencyKeys;
  migrations: Migrations;
  nodes: Nodes;
  parked_events: ParkedEvents;
  principals: Principals;
  store: Store;
  tenant_usage: TenantUsage;
  tenants: Tenants;
  tokens: Tokens;
  topics: Topics;
  unfinished_calls: UnfinishedCalls;
}
