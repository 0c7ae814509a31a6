import { sql } from 'kysely';
import type { Clock, StopTimer } from '../../platform/clock.ts';
import type { Database, Transaction } from '../../platform/database/index.ts';
import type { Log } from '../../platform/log.ts';
import { engineErrors } from './errors.ts';
import { RETENTION_DAYS } from './call.ts';

/** What one tenant may use, on all nodes together. */
export interface Quota {
  readonly callsPerDay: number;
  readonly unfinished: number;
  /** Of inputs and outputs, over the standard retention. */
  readonly storedBytes: number;
}

/** Milliseconds between looks at what the other nodes added. */
const EVERY = 1_000;

/** Rounds between counts of what is unfinished, which reads the whole narrow table. */
const COUNT_ROUNDS = 10;

interface Use {
  /** Of all nodes, as last read. */
  today: number;
  bytes: number;
  unfinished: number;
  /** Of this node, since it was last written. */
  newCalls: number;
  newBytes: number;
  /** Of this node, since what is unfinished was last counted. */
  newUnfinished: number;
}

const nothing = (): Use => ({
  today: 0,
  bytes: 0,
  unfinished: 0,
  newCalls: 0,
  newBytes: 0,
  newUnfinished: 0,
});

/**
 * Counts what tenants use, and refuses what would go beyond their quota before anything is written (promise 8).
 *
 * Nodes count for themselves and add up every second, so that accepting a call never waits for another node's count; a
 * quota may be overrun by what is accepted within one such second.
 */
export class Usage {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #quota: Quota;
  readonly #node: () => number;
  readonly #tenants = new Map<string, Use>();
  #round = 0;
  #stop: StopTimer = () => {};

  constructor(options: { database: Database; clock: Clock; log: Log; quota: Quota; node: () => number }) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#quota = options.quota;
    this.#node = options.node;
  }

  async start(): Promise<void> {
    await this.#exchange();
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#stop();
    await this.#exchange();
  }

  /** Counts a call in; throws `quota_calls`, `quota_unfinished` or `quota_bytes` instead of going beyond. */
  admit(tenant: string, bytes: number): void {
    const use = this.#of(tenant);
    const { callsPerDay, unfinished, storedBytes } = this.#quota;
    if (use.today + use.newCalls >= callsPerDay)
      throw engineErrors.quota_calls({ retryAfter: this.#untilMidnight() });
    if (use.unfinished + use.newUnfinished >= unfinished)
      throw engineErrors.quota_unfinished({ retryAfter: 10 });
    if (use.bytes + use.newBytes + bytes > storedBytes) throw engineErrors.quota_bytes();
    this.add(tenant, bytes);
  }

  /** Counts a call in that follows another and cannot be refused any more. */
  add(tenant: string, bytes: number): void {
    const use = this.#of(tenant);
    use.newCalls++;
    use.newUnfinished++;
    use.newBytes += bytes;
  }

  ended(tenant: string, bytes: number): void {
    const use = this.#of(tenant);
    use.newUnfinished--;
    use.newBytes += bytes;
  }

  #of(tenant: string): Use {
    let use = this.#tenants.get(tenant);
    if (!use) this.#tenants.set(tenant, (use = nothing()));
    return use;
  }

  #untilMidnight(): number {
    return Math.ceil((86_400_000 - (this.#clock.now() % 86_400_000)) / 1000);
  }

  #arm(): void {
    this.#stop = this.#clock.after(EVERY, () => {
      this.#exchange()
        .catch((err: unknown) => this.#log.warn('the use of tenants could not be added up', { err }))
        .finally(() => this.#arm());
    });
  }

  /** Writes what this node added, reads what all added. */
  async #exchange(): Promise<void> {
    const added = [...this.#tenants].filter(([, use]) => use.newCalls !== 0 || use.newBytes !== 0);
    const counting = this.#round++ % COUNT_ROUNDS === 0;
    const counted = [...this.#tenants.values()].map((use) => [use, use.newUnfinished] as const);
    const snapshot = added.map(([tenant, use]) => ({
      tenant,
      use,
      calls: use.newCalls,
      bytes: use.newBytes,
    }));
    const { totals, open } = await this.#database.acrossTenants(async (tx) => {
      await addUse(tx, this.#node(), snapshot);
      return { totals: await readUse(tx), open: counting ? await countUnfinished(tx) : undefined };
    });
    for (const { use, calls, bytes } of snapshot) {
      use.newCalls -= calls;
      use.newBytes -= bytes;
    }
    for (const { tenant, today, bytes } of totals) Object.assign(this.#of(tenant), { today, bytes });
    if (!open) return;
    for (const [use, before] of counted) {
      use.newUnfinished -= before;
      use.unfinished = 0;
    }
    for (const { tenant, calls } of open) this.#of(tenant).unfinished = calls;
  }
}

async function addUse(
  tx: Transaction,
  node: number,
  added: readonly { tenant: string; calls: number; bytes: number }[],
): Promise<void> {
  if (added.length === 0) return;
  await sql`
    insert into tenant_usage (tenant_id, day, node_id, accepted, bytes)
    select tenant, (clock_timestamp() at time zone 'UTC')::date, ${node}, calls, bytes
    from unnest(${added.map(({ tenant }) => tenant)}::uuid[], ${added.map(({ calls }) => calls)}::bigint[],
                ${added.map(({ bytes }) => bytes)}::bigint[]) as a(tenant, calls, bytes)
    on conflict (tenant_id, day, node_id) do update
      set accepted = tenant_usage.accepted + excluded.accepted, bytes = tenant_usage.bytes + excluded.bytes`.execute(
    tx,
  );
}

async function readUse(tx: Transaction): Promise<{ tenant: string; today: number; bytes: number }[]> {
  const { rows } = await sql<{ tenant: string; today: number; bytes: number }>`
    select tenant_id as tenant,
           coalesce(sum(accepted) filter (where day = (clock_timestamp() at time zone 'UTC')::date), 0)::float8 as today,
           sum(bytes)::float8 as bytes
    from tenant_usage
    where day > (clock_timestamp() at time zone 'UTC')::date - ${RETENTION_DAYS.standard}::integer
    group by tenant_id`.execute(tx);
  return rows;
}

async function countUnfinished(tx: Transaction): Promise<{ tenant: string; calls: number }[]> {
  const { rows } = await sql<{ tenant: string; calls: number }>`
    select tenant_id as tenant, count(*)::float8 as calls from unfinished_calls group by tenant_id`.execute(
    tx,
  );
  return rows;
}

/** Adds the counts of nodes that are gone together, and forgets days beyond the retention. */
export async function foldUsage(tx: Transaction): Promise<void> {
  await sql`
    with gone as (
      delete from tenant_usage u
      where u.node_id <> 0 and not exists (select from nodes n where n.node_id = u.node_id)
      returning tenant_id, day, accepted, bytes
    )
    insert into tenant_usage (tenant_id, day, node_id, accepted, bytes)
    select tenant_id, day, 0, sum(accepted), sum(bytes) from gone group by tenant_id, day
    on conflict (tenant_id, day, node_id) do update
      set accepted = tenant_usage.accepted + excluded.accepted, bytes = tenant_usage.bytes + excluded.bytes`.execute(
    tx,
  );
  await sql`delete from tenant_usage
            where day < (clock_timestamp() at time zone 'UTC')::date - ${RETENTION_DAYS.long}::integer`.execute(
    tx,
  );
}
