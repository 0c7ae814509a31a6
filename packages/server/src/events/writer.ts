import type { Transaction } from '../platform/database/index.ts';
import { HubError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import type { Log } from '../platform/log.ts';
import { compileCheck, type Check } from '../platform/schema/index.ts';
import { bundle } from './bundle.ts';
import { eventCatalogue, schemaOf, type EventDraft, type EventName } from './catalogue.ts';
import { eventErrors } from './errors.ts';
import { HUB_SOURCE, type CloudEvent } from './event.ts';
import { wants, type CommitListener, type Listener, type TransactionListener } from './listeners/listener.ts';
import { insertEvents } from './store.ts';

/** The topic of events. Others are for those who produce more than people read. */
export const EVENTS_TOPIC = 'events';

export interface WriterParts {
  readonly listeners: readonly Listener[];
  readonly log: Log;
  /** Tells every node that there is something to read. */
  readonly wake: () => void;
}

/** Writes events in the transaction of what they tell of (the outbox), and has listeners of both near kinds told. */
export class EventWriter {
  readonly #parts: WriterParts;
  readonly #inTransaction: readonly TransactionListener[];
  readonly #afterCommit: readonly CommitListener[];

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#inTransaction = parts.listeners.filter((one) => one.when === 'in_transaction');
    this.#afterCommit = parts.listeners.filter((one) => one.when === 'after_commit');
  }

  /** An event of the catalogue: kept if what it tells of is kept. Fails with `event_refused`. */
  async write(tx: Transaction, draft: EventDraft): Promise<void> {
    await this.append(tx, [eventFrom(draft)]);
  }

  /** Events that are whole already. Fails with `event_refused`. */
  async append(tx: Transaction, events: readonly CloudEvent[]): Promise<void> {
    await insertEvents(tx, EVENTS_TOPIC, events);
    bundle(tx, events);
    for (const event of events)
      for (const listener of this.#inTransaction)
        if (wants(listener, event))
          await listener.handle(tx, event).catch((error) => refuse(listener, error));
  }

  /** The events of a transaction that has committed. */
  committed(events: readonly CloudEvent[]): void {
    this.#parts.wake();
    for (const listener of this.#afterCommit) {
      const wanted = events.filter((event) => wants(listener, event));
      if (wanted.length > 0) void this.#tell(listener, wanted);
    }
  }

  async #tell(listener: CommitListener, events: readonly CloudEvent[]): Promise<void> {
    try {
      await listener.handle(events);
    } catch (err) {
      this.#parts.log.error('a listener failed after a commit', { err, consumer: listener.name });
    }
  }
}

/** Faults of the database pass: some of them mean that the transaction is run again. */
function refuse({ name }: TransactionListener, error: unknown): never {
  if (error instanceof HubError || !(error instanceof Error) || 'code' in error) throw error;
  throw eventErrors.event_refused({ detail: `${name}: ${error.message}`, cause: error });
}

const checks = new Map<EventName, Check>();

/** @throws Error when the payload is not what the catalogue says; past the types only by a cast. */
export function eventFrom(draft: EventDraft): CloudEvent {
  const { name, tenant, subject, actor, correlation, causation, data } = draft;
  const check = checks.get(name) ?? compileCheck(eventCatalogue[name].data);
  checks.set(name, check);
  const faults = check(data);
  if (faults.length > 0) throw new Error(`The event ${name} has a wrong payload: ${JSON.stringify(faults)}`);
  return {
    specversion: '1.0',
    id: newId(),
    source: HUB_SOURCE,
    type: name,
    time: new Date().toISOString(),
    tenant,
    subject,
    partitionkey: subject,
    ...(actor !== undefined && { actor }),
    ...(correlation !== undefined && { correlation }),
    ...(causation !== undefined && { causation }),
    datacontenttype: 'application/json',
    dataschema: schemaOf(name),
    data,
  };
}
