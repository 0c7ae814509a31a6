import type { Client } from 'pg';
import type { Clock } from '../../platform/clock.ts';
import {
  codeOf,
  PartitionKeeper,
  partitionsLike,
  spansAhead,
  type DatabaseTarget,
} from '../../platform/database/index.ts';
import type { Log } from '../../platform/log.ts';
import { RETENTION_CODE, RETENTION_DAYS, type Retention } from './call.ts';

/** The partitioned tables. A call's rows lie in the partition of its id in each of them. */
const TABLES = ['calls', 'attempts', 'ended_calls'] as const;

const DAY = 24 * 3_600_000;

/** Days of ids in one partition, by class. */
const SPAN_DAYS: Readonly<Record<Retention, number>> = { brief: 1, standard: 1, long: 30 };

/** Partitions made before they are needed. */
const AHEAD = 3;

/** Only one node keeps house at a time. */
const LOCK = 7_004_000_002;

interface Span {
  readonly code: number;
  readonly from: number;
  readonly to: number;
}

export interface RetentionOptions {
  readonly target: DatabaseTarget;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Makes partitions ahead of time and drops those whose calls have been kept long enough (engine rule 9).
 *
 * Invariant: a call leaves only when it has ended and its retention, counted from its end, is over. What a partition to
 * be dropped holds beyond that is copied to the rest of its class before.
 */
export class RetentionKeeper extends PartitionKeeper {
  constructor({ target, clock, log }: RetentionOptions) {
    super({ target, clock, log, lock: LOCK, round: (client, now) => keepHouse(client, now, log) });
  }
}

async function keepHouse(client: Client, now: number, log: Log): Promise<void> {
  const existing = await existingSpans(client);
  for (const [name, code] of Object.entries(RETENTION_CODE) as [Retention, number][]) {
    for (const span of spansAhead(now, SPAN_DAYS[name] * DAY, AHEAD)) {
      if (!existing.some((known) => known.code === code && known.from === span.from))
        await makePartitions(client, { code, ...span }, log);
    }
    const keepMs = RETENTION_DAYS[name] * DAY;
    for (const span of existing.filter((known) => known.code === code && known.to + keepMs <= now)) {
      const kept = await dropPartitions(client, span, now - keepMs);
      log.info('a span of ended calls was dropped', { count: kept });
    }
    await purgeRest(client, code, now - keepMs);
  }
}

/** `calls_2_1790000000000_1790086400000`: the name says what the partition holds. */
function partition(table: string, { code, from, to }: Span): string {
  return `${table}_${code}_${from}_${to}`;
}

async function existingSpans(client: Client): Promise<Span[]> {
  const names = await partitionsLike(client, '^calls_\\d_\\d+_\\d+$');
  return names.map((name) => {
    const [code = 0, from = 0, to = 0] = name.split('_').slice(1).map(Number);
    return { code, from, to };
  });
}

/** 23514: the rest holds calls of this span already. 55P03: too much was being written to get the lock. */
const NOT_NOW = new Set(['23514', '55P03']);

/** Makes a span in all tables, or in none: without it the rest takes its calls, and keeps them as long. */
async function makePartitions(client: Client, span: Span, log: Log): Promise<void> {
  await client.query('begin');
  try {
    for (const table of TABLES)
      await client.query(
        `create table ${partition(table, span)} partition of ${table}_${span.code}
         for values from ('${lowestId(span.from)}') to ('${lowestId(span.to)}')`,
      );
    await client.query('commit');
  } catch (err) {
    await client.query('rollback');
    if (!NOT_NOW.has(codeOf(err) ?? '')) throw err;
    log.warn('a span of calls goes to the rest for now', { err });
  }
}

/** The lowest UUIDv7 of a millisecond. */
function lowestId(ms: number): string {
  const time = ms.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`;
}

/** Drops a span, except for the calls that have not ended before `since`; how many those are. */
async function dropPartitions(client: Client, span: Span, since: number): Promise<number> {
  const ids = (table: string): string => partition(table, span);
  await client.query('begin');
  try {
    for (const table of TABLES)
      await client.query(`alter table ${table}_${span.code} detach partition ${ids(table)}`);
    await client.query(`create temp table stragglers on commit drop as
      select c.call_id from ${ids('calls')} c
      left join ${ids('ended_calls')} e using (call_id)
      where e.ended_at is null or e.ended_at > to_timestamp(${since} / 1000.0)`);
    let kept = 0;
    for (const table of TABLES) {
      const moved = await client.query(`insert into ${table}_${span.code}_rest
        select t.* from ${ids(table)} t join stragglers using (call_id)`);
      if (table === 'calls') kept = moved.rowCount ?? 0;
      await client.query(`drop table ${ids(table)}`);
    }
    await client.query('commit');
    return kept;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/** Lets go of stragglers whose time has come. */
async function purgeRest(client: Client, code: number, since: number): Promise<void> {
  await client.query(`with gone as (
      delete from ended_calls_${code}_rest where ended_at <= to_timestamp(${since} / 1000.0) returning call_id
    ), attempts_gone as (
      delete from attempts_${code}_rest a using gone where a.call_id = gone.call_id
    )
    delete from calls_${code}_rest c using gone where c.call_id = gone.call_id`);
}
