import type { Client } from 'pg';
import type { Clock } from '../platform/clock.ts';
import {
  PartitionKeeper,
  partitionsLike,
  spansAhead,
  type DatabaseTarget,
  type Span,
} from '../platform/database/index.ts';
import type { Log } from '../platform/log.ts';

const DAY = 24 * 3_600_000;

/** Days an event stays in the log, read or not; and one that was given up stays aside. */
const KEEP_DAYS = 7;
const KEEP_DEAD_DAYS = 30;

/** Partitions made before they are needed. */
const AHEAD = 3;

/** Only one node keeps house at a time. */
const LOCK = 7_004_000_003;

export interface EventKeeperOptions {
  readonly target: DatabaseTarget;
  readonly clock: Clock;
  readonly log: Log;
}

/** Makes the partitions of the log ahead, and drops those whose events have been kept long enough. */
export class EventKeeper extends PartitionKeeper {
  constructor({ target, clock, log }: EventKeeperOptions) {
    super({ target, clock, log, lock: LOCK, round: (client, now) => keepHouse(client, now, log) });
  }
}

async function keepHouse(client: Client, now: number, log: Log): Promise<void> {
  const existing = (await partitionsLike(client, '^events_\\d+_\\d+$')).map(spanOf);
  for (const span of spansAhead(now, DAY, AHEAD))
    if (!existing.some(({ from }) => from === span.from)) await make(client, span, log);
  const since = now - KEEP_DAYS * DAY;
  for (const span of existing.filter(({ to }) => to <= since)) {
    await drop(client, span);
    log.info('a span of events was dropped', { topic: 'events' });
  }
  await purge(client, since, now - KEEP_DEAD_DAYS * DAY);
}

/** `events_1790000000000_1790086400000`: the name says what the partition holds. */
function nameOf({ from, to }: Span): string {
  return `events_${from}_${to}`;
}

function spanOf(name: string): Span {
  const [from = 0, to = 0] = name.split('_').slice(1).map(Number);
  return { from, to };
}

const at = (ms: number): string => new Date(ms).toISOString();

/** A span of which the rest already holds events cannot get a partition any more; it stays with the rest. */
async function make(client: Client, span: Span, log: Log): Promise<void> {
  await client
    .query(
      `create table if not exists ${nameOf(span)} partition of events for values from ('${at(span.from)}') to ('${at(span.to)}')`,
    )
    .catch((err: unknown) => {
      if ((err as { code?: string }).code !== '23514') throw err;
      log.warn('a span of events stays without a partition of its own', { err });
    });
}

/** Readers behind what is dropped are told so by `dropped_through`. */
async function drop(client: Client, span: Span): Promise<void> {
  await client.query('begin');
  try {
    await client.query(
      `update topics set dropped_through = greatest(dropped_through, gone.newest)
       from (select coalesce(max(transaction_id), 0) as newest from ${nameOf(span)}) gone`,
    );
    await client.query(`drop table ${nameOf(span)}`);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function purge(client: Client, since: number, sinceDead: number): Promise<void> {
  await client.query(`with gone as (
      delete from events_rest where at < to_timestamp(${since} / 1000.0) returning transaction_id
    )
    update topics set dropped_through = greatest(dropped_through, gone.newest)
    from (select coalesce(max(transaction_id), 0) as newest from gone) gone`);
  await client.query(
    `delete from parked_events where state = 'dead' and parked_at < to_timestamp(${sinceDead} / 1000.0)`,
  );
}
