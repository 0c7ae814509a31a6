// For tests of events: nodes on one database, as far as events are concerned.
import type { Scope } from '../../test/support/database.ts';
import { openLossyWire, type LossyWire } from '../platform/group-commit/lossy-wire.testing.ts';
import { systemClock, type Clock } from '../platform/clock.ts';
import { openDatabase, type Database, type DatabaseTarget } from '../platform/database/index.ts';
import { newId } from '../platform/ids.ts';
import { createLog } from '../platform/log.ts';
import { createSignal } from '../platform/signal/index.ts';
import type { CloudEvent } from './event.ts';
import { createEvents, type Events } from './events.ts';
import type { Listener } from './listeners/listener.ts';

export const silent = createLog({ level: 'silent' });

/** What is begun in the scope ends before the scope of the test does, the last first: nodes before their database. */
export function innerScope(t: Scope): Scope {
  const endings: (() => unknown)[] = [];
  t.after(async () => {
    for (let next = endings.pop(); next; next = endings.pop()) await next();
  });
  return { after: (work) => void endings.push(work as () => unknown) };
}

/** Milliseconds. Long enough for a loaded machine, short enough to wait for its end. */
export const LEASE = 1_000;

/** A node: its events, and the wire that is its only way to the database. */
export interface EventNode {
  readonly events: Events;
  readonly database: Database;
  readonly wire: LossyWire;
}

export interface NodeOptions {
  readonly listeners?: readonly Listener[];
  readonly clock?: Clock;
  readonly lease?: number;
}

/** Starts a node; what is started in a scope ends the last first. */
export async function startEventNode(
  t: Scope,
  target: DatabaseTarget,
  { listeners = [], clock = systemClock, lease = LEASE }: NodeOptions = {},
): Promise<EventNode> {
  const wire = await openLossyWire(t, target);
  const opened = openDatabase(wire.target, silent);
  const signal = createSignal({ target: wire.target, log: silent, clock: systemClock });
  const events = createEvents({ database: opened, signal, clock, log: silent, listeners, lease });
  t.after(async () => {
    await events.stop(1_000);
    await signal.close();
    await opened.close();
  });
  await events.start();
  return { events, database: events.database, wire };
}

/** An event from outside. */
export function anEvent(tenant: string, more: Partial<CloudEvent> = {}): CloudEvent {
  return {
    specversion: '1.0',
    id: newId(),
    source: '/test',
    type: 'app.test',
    partitionkey: 'key',
    time: new Date().toISOString(),
    tenant,
    ...more,
  };
}

export async function newTenant(database: Database): Promise<string> {
  const tenant = newId();
  await database.acrossTenants((tx) =>
    tx
      .insertInto('tenants')
      .values({ tenant_id: tenant, name: `t${tenant}` })
      .execute(),
  );
  return tenant;
}
