import { Client } from 'pg';
import type { Clock, StopTimer } from '../clock.ts';
import type { Log } from '../log.ts';
import { clientConfig, type DatabaseTarget } from './connection.ts';

/** A stretch of time that one partition holds. Milliseconds since the epoch; `to` is no part of it. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface PartitionKeeperOptions {
  readonly target: DatabaseTarget;
  readonly clock: Clock;
  readonly log: Log;
  /** Only one node keeps the house of this lock at a time. */
  readonly lock: number;
  /** Makes partitions ahead and drops those that are over, on a connection of the owner of the tables. */
  readonly round: (client: Client, now: number) => Promise<void>;
}

const HOUR = 3_600_000;

/** Has partitions made ahead of time and dropped when they are over: at its start, and every hour. */
export class PartitionKeeper {
  readonly #options: PartitionKeeperOptions;
  #stop: StopTimer = () => {};

  constructor(options: PartitionKeeperOptions) {
    this.#options = options;
  }

  /** Keeps house now, and from now on every hour. */
  async start(): Promise<void> {
    await this.keep();
    this.#arm();
  }

  stop(): void {
    this.#stop();
  }

  #arm(): void {
    const { clock, log } = this.#options;
    this.#stop = clock.after(HOUR, () => {
      this.#arm();
      this.keep().catch((err: unknown) => log.error('partitions could not be kept', { err }));
    });
  }

  /** One round. Does nothing while another node is at it. */
  async keep(): Promise<void> {
    const { target, clock, lock, round } = this.#options;
    const client = new Client(clientConfig(target));
    client.on('error', () => {}); // the statement under way rejects as well
    await client.connect();
    try {
      const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock($1) as mine', [
        lock,
      ]);
      if (!rows[0]?.mine) return;
      // A partition comes and goes under a lock that stops every write; whoever waits for it stops them too.
      await client.query(`set lock_timeout = '2s'`);
      await round(client, clock.now());
    } finally {
      await client.end();
    }
  }
}

/** The span of this length that `now` lies in, and those that follow: `count` in all. */
export function spansAhead(now: number, length: number, count: number): Span[] {
  const first = Math.floor(now / length) * length;
  return Array.from({ length: count }, (_, index) => ({
    from: first + index * length,
    to: first + (index + 1) * length,
  }));
}

/** The names of a table's partitions that match a pattern of PostgreSQL. */
export async function partitionsLike(client: Client, pattern: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_class
     where relnamespace = 'linkspan'::regnamespace and relispartition and relname ~ $1`,
    [pattern],
  );
  return rows.map(({ name }) => name);
}
