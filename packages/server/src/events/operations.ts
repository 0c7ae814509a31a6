import type { Readable } from 'node:stream';
import type { Caller } from '../access/index.ts';
import { recordAudit, type Actor } from '../audit/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { newId } from '../platform/ids.ts';
import type { Log } from '../platform/log.ts';
import type { Bus, PartitionState, SeekTarget } from './bus/bus.ts';
import { eventErrors } from './errors.ts';
import { comparePositions, isBelow, readPosition, START, type CloudEvent, type Position } from './event.ts';
import { countParked, reviveDead, type ParkedCount } from './listeners/parked-store.ts';
import { PatientStream } from './slow-reader.ts';
import { droppedThrough, endOfLog, startOfLog, type EventFilter } from './store.ts';
import { eventStream, farewell } from './stream.ts';
import type { Wake } from './wake.ts';
import { EVENTS_TOPIC, type EventWriter } from './writer.ts';

/** What the routes of events need of the hub. */
export interface EventPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly wake: Wake;
  readonly bus: Bus;
  readonly writer: EventWriter;
  /** Aborts when the hub drains: streams end. */
  readonly closing: AbortSignal;
}

/** An event from outside. */
export interface Published {
  readonly type: string;
  readonly source: string;
  readonly id?: string;
  readonly time?: string;
  readonly subject?: string;
  readonly partitionkey?: string;
  readonly correlation?: string;
  readonly causation?: string;
  readonly datacontenttype?: 'application/json';
  readonly dataschema?: string;
  readonly data?: unknown;
}

/** What callers may publish below; everything else is the hub's own. */
const OPEN_PREFIX = 'app';

/** Milliseconds a reader may let its events wait. */
const PATIENCE = 30_000;

/** Publishes an event; it is on disk when this resolves. Fails with `event_type_refused`, `event_refused`. */
export async function publishEvent(
  { database, writer }: EventPorts,
  caller: Caller,
  actor: Actor,
  published: Published,
): Promise<CloudEvent> {
  if (!isBelow(published.type, OPEN_PREFIX)) throw eventErrors.event_type_refused();
  const id = published.id ?? newId();
  const event: CloudEvent = {
    ...published,
    specversion: '1.0',
    id,
    time: published.time ?? new Date().toISOString(),
    tenant: caller.tenant,
    actor: caller.principal,
    // Without a subject nothing has to stay in order with anything.
    partitionkey: published.partitionkey ?? published.subject ?? id,
  };
  await database.asTenant(caller.tenant, async (tx) => {
    await writer.append(tx, [event]);
    await recordAudit(tx, actor, { name: 'event.publish', target: id, changes: { type: event.type } });
  });
  return event;
}

/**
 * The caller's tenant's events as a stream without end. Without a position it begins with what happens from now on.
 * Fails with `event_position_invalid`, `event_position_expired`.
 */
export async function openStream(
  ports: EventPorts,
  { tenant }: Caller,
  wanted: { readonly after: string | undefined; readonly filter: EventFilter; readonly signal: AbortSignal },
): Promise<Readable> {
  const after = await beginning(ports, wanted.after);
  const signal = AbortSignal.any([wanted.signal, ports.closing]);
  const source = eventStream(ports, { tenant, after, filter: wanted.filter, signal });
  return new PatientStream(source, { ...ports, patience: PATIENCE, farewell });
}

async function beginning({ database }: EventPorts, text: string | undefined): Promise<Position> {
  const given = text === undefined ? undefined : readPosition(text);
  if (text !== undefined && !given) throw eventErrors.event_position_invalid();
  return database.acrossTenants(async (tx) => {
    const end = await endOfLog(tx);
    if (!given) return end;
    if (comparePositions(given, START) === 0) return startOfLog(tx);
    if (given.transaction < (await droppedThrough(tx, EVENTS_TOPIC)))
      throw eventErrors.event_position_expired();
    if (given.transaction > end.transaction) throw eventErrors.event_position_invalid();
    return given;
  });
}

/** A consumer, with where it stands. */
export interface ConsumerState {
  readonly name: string;
  readonly partitions: readonly PartitionState[];
  readonly parked: Omit<ParkedCount, 'consumer'>;
}

export async function listConsumers({ bus, database }: EventPorts): Promise<ConsumerState[]> {
  const names = await bus.consumers(EVENTS_TOPIC);
  const parked = await database.acrossTenants((tx) => countParked(tx, EVENTS_TOPIC));
  const states: ConsumerState[] = [];
  for (const name of names) {
    const { retrying, dead, codes } = parked.find(({ consumer }) => consumer === name) ?? NOTHING_PARKED;
    states.push({ name, partitions: await bus.state(EVENTS_TOPIC, name), parked: { retrying, dead, codes } });
  }
  return states;
}

const NOTHING_PARKED = { retrying: 0, dead: 0, codes: [] };

/** Moves a consumer; what it has read and moved behind, it reads again. Fails with `consumer_not_found`. */
export async function seekConsumer(
  ports: EventPorts,
  actor: Actor,
  name: string,
  target: SeekTarget,
): Promise<void> {
  await demandConsumer(ports, name);
  await ports.database.acrossTenants((tx) =>
    recordAudit(tx, actor, { name: 'consumer.seek', target: name, changes: { to: target.to } }),
  );
  await ports.bus.seek(EVENTS_TOPIC, name, target);
  ports.wake.tell();
}

/**
 * Gives events a consumer gave up another round of attempts, the oldest first; how many those are, or would be in a dry
 * run. Fails with `consumer_not_found`.
 */
export async function replayDead(
  ports: EventPorts,
  actor: Actor,
  name: string,
  which: { readonly limit: number; readonly dryRun: boolean; readonly code?: string },
): Promise<number> {
  await demandConsumer(ports, name);
  const count = await ports.database.acrossTenants(async (tx) => {
    const revived = await reviveDead(tx, { topic: EVENTS_TOPIC, consumer: name }, which);
    const changes = { dryRun: which.dryRun, count: revived };
    await recordAudit(tx, actor, { name: 'consumer.replay', target: name, changes });
    return revived;
  });
  if (!which.dryRun) ports.wake.tell();
  return count;
}

async function demandConsumer({ bus }: EventPorts, name: string): Promise<void> {
  if (!(await bus.consumers(EVENTS_TOPIC)).includes(name)) throw eventErrors.consumer_not_found();
}
