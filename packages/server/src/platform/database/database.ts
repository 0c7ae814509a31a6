import { Socket } from 'node:net';
import { Kysely, PostgresDialect, sql, type Transaction as KyselyTransaction } from 'kysely';
import { Pool } from 'pg';
import type { Log } from '../log.ts';
import { clientConfig, TIMEOUTS, type DatabaseRole, type DatabaseTarget } from './connection.ts';
import { understood, wasContention } from './faults.ts';
import type { DB } from './tables.ts';

/** A transaction of the hub: Kysely over the generated table types. */
export type Transaction = KyselyTransaction<DB>;

/**
 * The database as operations use it.
 *
 * Work given to it is one transaction. It may run more than once when the database undid it (serialisation,
 * deadlock), so it touches nothing but the transaction; and no outgoing request happens in it (promise 5).
 * Errors of the database arrive as `HubError`s (`database_unavailable`, `database_busy`, …), others unchanged.
 */
export interface Database {
  /** Sees and writes the rows of one tenant (a UUID); row-level security hides all others. */
  asTenant<T>(tenant: string, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Sees every tenant: for the engine, sweeps, and looking up whose token this is. Never for a request's own work. */
  acrossTenants<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Where it is, for parts that keep a connection of their own. */
  readonly target: DatabaseTarget;
  close(): Promise<void>;
}

/** Connections kept per role. */
const POOL_SIZE: Record<DatabaseRole, number> = { linkspan_api: 10, linkspan_hub: 5 };

/** How often work is run again after contention before the caller is told `database_busy`. */
const CONTENTION_TRIES = 4;

/** Opens the pools; connects when first used. The schema must be up to date (`migrate`). */
export function openDatabase(target: DatabaseTarget, log: Log): Database {
  const api = openPool(target, 'linkspan_api', log);
  const hub = openPool(target, 'linkspan_hub', log);
  return {
    target,
    asTenant: (tenant, work) =>
      transact(api, async (tx) => {
        await sql`select set_config('linkspan.tenant', ${tenant}, true)`.execute(tx);
        return work(tx);
      }),
    acrossTenants: (work) => transact(hub, work),
    async close() {
      await Promise.all([api.destroy(), hub.destroy()]);
    },
  };
}

/** Milliseconds until an idle connection is closed. */
const IDLE = 30_000;

/** A connection on which nothing comes or goes: the server answers every statement before, if only with its timeout. */
const SILENCE = Math.max(IDLE, TIMEOUTS.statement) + 5_000;

/** A socket that takes a network that fell silent for a broken one, which it may be without ever saying so. */
function livelySocket(): Socket {
  const socket = new Socket();
  return socket.setTimeout(SILENCE, () => socket.destroy(new Error('Connection terminated: no answer')));
}

function openPool(target: DatabaseTarget, role: DatabaseRole, log: Log): Kysely<DB> {
  const pool = new Pool({
    ...clientConfig(target, role),
    max: POOL_SIZE[role],
    idleTimeoutMillis: IDLE,
    stream: livelySocket,
  });
  // A connection that breaks is replaced, and the statement under way rejects; but without listeners, on the pool
  // for idle ones and on each that is in use, the break would end the process.
  pool.on('error', (err) => log.warn('a database connection was lost', { err }));
  pool.on('connect', (client) => void client.on('error', () => {}));
  return new Kysely<DB>({ dialect: new PostgresDialect({ pool }) });
}

async function transact<T>(db: Kysely<DB>, work: (tx: Transaction) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await db.transaction().execute(work);
    } catch (error) {
      if (!wasContention(error) || tries === CONTENTION_TRIES) throw understood(error);
    }
  }
}
