import type { Clock } from '../platform/clock.ts';
import type { Database, Transaction } from '../platform/database/index.ts';
import type { Log } from '../platform/log.ts';
import type { Signal } from '../platform/signal/index.ts';
import { createPostgresBus } from './bus/postgres-bus.ts';
import { tellingCommits } from './bundle.ts';
import type { EventDraft } from './catalogue.ts';
import { Consumer } from './listeners/consumer.ts';
import type { AsyncListener, Listener } from './listeners/listener.ts';
import type { EventPorts } from './operations.ts';
import { EventKeeper } from './retention.ts';
import { Wake } from './wake.ts';
import { EVENTS_TOPIC, EventWriter } from './writer.ts';

export interface EventsOptions {
  readonly database: Database;
  readonly signal: Signal;
  readonly clock: Clock;
  readonly log: Log;
  readonly listeners: readonly Listener[];
  /** Milliseconds after which another node takes over what a dead one consumed. */
  readonly lease?: number;
}

/** The events of a hub. */
export interface Events {
  /** The database to be used from here on: it tells listeners of this node what was committed. */
  readonly database: Database;
  readonly ports: EventPorts;
  /** Writes an event in the transaction of what it tells of. Fails with `event_refused`. */
  emit(tx: Transaction, event: EventDraft): Promise<void>;
  /** Events were committed past `emit`: by the group commit of the engine. */
  written(): void;
  /** Makes the partitions of the log; has to come before the first event. */
  prepare(): Promise<void>;
  /** Starts the asynchronous listeners of this node. */
  start(): Promise<void>;
  /** Ends the streams that are read. */
  endStreams(): void;
  /** Takes nothing new; what listeners do may end within `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** Partitions of the topic: so many nodes can share the work of one listener. */
const PARTITIONS = 16;

export function createEvents(options: EventsOptions): Events {
  const { signal, clock, log, listeners, lease } = options;
  const wake = new Wake(signal, clock);
  const writer = new EventWriter({ listeners, log, wake: () => wake.tell() });
  const database = tellingCommits(options.database, (events) => writer.committed(events));
  const bus = createPostgresBus({ database, clock, log, wake, ...(lease !== undefined && { lease }) });
  const keeper = new EventKeeper({ target: database.target, clock, log });
  const consumers: Consumer[] = [];
  const closing = new AbortController();
  return {
    database,
    ports: { database, clock, log, wake, bus, writer, closing: closing.signal },
    emit: (tx, event) => writer.write(tx, event),
    written: () => wake.tell(),
    prepare: () => keeper.start(),
    async start() {
      await bus.declare({ name: EVENTS_TOPIC, partitions: PARTITIONS });
      for (const listener of listeners.filter(isAsync)) {
        const member = await bus.join(EVENTS_TOPIC, listener.name, listener.from);
        const consumer = new Consumer({ database, clock, log, topic: EVENTS_TOPIC, member, listener });
        consumers.push(consumer);
        consumer.start();
      }
    },
    endStreams: () => closing.abort(),
    async stop(graceMs) {
      closing.abort();
      keeper.stop();
      await Promise.all(consumers.map((consumer) => consumer.stop(graceMs)));
      await bus.close();
      wake.close();
    },
  };
}

function isAsync(listener: Listener): listener is AsyncListener {
  return listener.when === 'async';
}
