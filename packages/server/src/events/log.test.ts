import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { cloneDatabase, type Scope } from '../../test/support/database.ts';
import type { Database, Transaction } from '../platform/database/index.ts';
import { HubError } from '../platform/errors.ts';
import type { EventDraft } from './catalogue.ts';
import { START, type CloudEvent, type Position } from './event.ts';
import { anEvent, innerScope, newTenant, startEventNode, type NodeOptions } from './events.testing.ts';
import { readEvents, type EventFilter, type Page } from './store.ts';
import { eventFrom } from './writer.ts';

async function start(t: TestContext, options: NodeOptions = {}) {
  const target = await cloneDatabase(t);
  const scope = innerScope(t);
  const { events, database } = await startEventNode(scope, target, options);
  const tenant = await newTenant(database);
  return { scope, events, database, tenant, writer: events.ports.writer };
}

const token = (tenant: string, subject = 'a-token'): EventDraft => ({
  name: 'linkspan.token.revoked',
  tenant,
  subject,
  actor: 'somebody',
  data: { name: 'arena' },
});

function page(
  database: Database,
  tenant: string,
  after: Position = START,
  filter: EventFilter = {},
  limit = 100,
): Promise<Page> {
  return database.asTenant(tenant, (tx) => readEvents(tx, { tenant, topic: 'events', after, filter, limit }));
}

/** Reads until the horizon has passed what was there; other databases of the server hold it up now and then. */
async function readSettled(
  database: Database,
  tenant: string,
  filter: EventFilter = {},
): Promise<CloudEvent[]> {
  for (let after = START, all: CloudEvent[] = []; ;) {
    const found = await page(database, tenant, after, filter, 7);
    all.push(...found.events.map(({ event }) => event));
    if (!found.more && !found.held) return all;
    after = found.through;
  }
}

/** A transaction that stays open until it is told to end. */
async function hold(scope: Scope, database: Database, work: (tx: Transaction) => Promise<void>) {
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  scope.after(() => end.resolve());
  const done = database.acrossTenants(async (tx) => {
    await work(tx);
    begun.resolve();
    await end.promise;
  });
  await begun.promise;
  return {
    async commit() {
      end.resolve();
      await done;
    },
  };
}

describe('the log of events', { timeout: 60_000 }, () => {
  it('keeps an event of the catalogue as it was written', async (t) => {
    const { events, database, tenant } = await start(t);
    await database.asTenant(tenant, (tx) => events.emit(tx, token(tenant)));
    const [event] = await readSettled(database, tenant);
    const { id, time, ...rest } = event!;
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
    const { id: _, time: __, ...written } = eventFrom(token(tenant));
    assert.deepEqual(rest, written);
  });

  it('keeps what is undone out, and what is written together in its order', async (t) => {
    const { writer, database, tenant } = await start(t);
    const undone = database.asTenant(tenant, async (tx) => {
      await writer.append(tx, [anEvent(tenant, { data: 'undone' })]);
      throw new Error('on purpose');
    });
    await assert.rejects(undone, /on purpose/);
    await database.asTenant(tenant, async (tx) => {
      await writer.append(
        tx,
        Array.from({ length: 50 }, (_, n) => anEvent(tenant, { data: n })),
      );
      await writer.append(
        tx,
        Array.from({ length: 50 }, (_, n) => anEvent(tenant, { data: 50 + n })),
      );
    });
    const read = await readSettled(database, tenant);
    assert.deepEqual(
      read.map(({ data }) => data),
      Array.from({ length: 100 }, (_, n) => n),
    );
  });

  it('skips nobody who takes an id first and commits last', async (t) => {
    const { scope, writer, database, tenant } = await start(t);
    const late = await hold(scope, database, (tx) => writer.append(tx, [anEvent(tenant, { data: 'late' })]));
    await database.asTenant(tenant, (tx) => writer.append(tx, [anEvent(tenant, { data: 'early' })]));
    const before = await page(database, tenant);
    assert.deepEqual([before.events, before.held], [[], true]);
    await late.commit();
    const data: unknown[] = [];
    for (let { through } = before; data.length < 2 && !t.signal.aborted;) {
      const next = await page(database, tenant, through);
      data.push(...next.events.map(({ event }) => event.data));
      through = next.through;
    }
    assert.deepEqual(data, ['late', 'early']);
  });

  it('is filtered by type and what lies below it, by subject and correlation', async (t) => {
    const { writer, database, tenant } = await start(t);
    const make = (type: string, more: Partial<CloudEvent> = {}) =>
      anEvent(tenant, { type, data: type, ...more });
    await database.asTenant(tenant, (tx) =>
      writer.append(tx, [
        make('app.order'),
        make('app.order.placed', { subject: 'o1' }),
        make('app.orders', { subject: 'o1', correlation: 'c' }),
        make('app%order'),
      ]),
    );
    const types = async (filter: EventFilter) =>
      (await readSettled(database, tenant, filter)).map(({ type }) => type);
    assert.deepEqual(await types({ type: 'app.order' }), ['app.order', 'app.order.placed']);
    assert.deepEqual(await types({ type: 'app.order.' }), ['app.order', 'app.order.placed']);
    assert.deepEqual(await types({ subject: 'o1' }), ['app.order.placed', 'app.orders']);
    assert.deepEqual(await types({ subject: 'o1', correlation: 'c' }), ['app.orders']);
    assert.deepEqual(await types({ type: 'app', subject: 'o2' }), []);
  });

  it('shows a tenant its own events alone, even when a statement forgets to ask', async (t) => {
    const { writer, database, tenant } = await start(t);
    const other = await newTenant(database);
    await database.acrossTenants((tx) => writer.append(tx, [anEvent(tenant), anEvent(other)]));
    await readSettled(database, tenant);
    const seen = await database.asTenant(other, (tx) =>
      tx.selectFrom('events').select('tenant_id').execute(),
    );
    assert.deepEqual(seen, [{ tenant_id: other }]);
    await assert.rejects(
      database.asTenant(other, (tx) => writer.append(tx, [anEvent(tenant)])),
      { code: '42501' },
    );
  });

  it('looks through long stretches in bounded steps', async (t) => {
    const { writer, database, tenant } = await start(t);
    await database.asTenant(tenant, (tx) => writer.append(tx, [anEvent(tenant)]));
    const { through, more } = await page(database, tenant, { transaction: -100_000, position: 0 });
    assert.deepEqual([through, more], [{ transaction: -80_000, position: 0 }, true]);
  });

  it('takes no payload the catalogue does not know', async (t) => {
    const { tenant } = await start(t);
    const wrong = { ...token(tenant), data: { name: 5 } } as unknown as EventDraft;
    assert.throws(() => eventFrom(wrong), /wrong payload/);
    // @ts-expect-error such an event is not in the catalogue
    const unknown: EventDraft = { ...token(tenant), name: 'linkspan.token.lost' };
    // @ts-expect-error this payload is another event's
    const other: EventDraft = { ...token(tenant), name: 'linkspan.call.held', data: { name: 'arena' } };
    assert.ok(unknown && other);
  });
});

describe('listeners near the writer', { timeout: 60_000 }, () => {
  it('in the transaction see what it sees, and may refuse what happened', async (t) => {
    const seen: unknown[] = [];
    const { events, database, tenant } = await start(t, {
      listeners: [
        {
          when: 'in_transaction',
          name: 'guard',
          types: ['linkspan.token'],
          async handle(tx, event) {
            const rows = await tx.selectFrom('events').select('subject').execute();
            seen.push(rows.map(({ subject }) => subject));
            if (event.subject === 'forbidden') throw new Error('not this one');
          },
        },
      ],
    });
    await database.asTenant(tenant, (tx) => events.emit(tx, token(tenant)));
    await assert.rejects(
      database.asTenant(tenant, (tx) => events.emit(tx, token(tenant, 'forbidden'))),
      (error) =>
        error instanceof HubError &&
        error.code === 'event_refused' &&
        error.occurrence.detail === 'guard: not this one',
    );
    assert.deepEqual(seen, [['a-token'], ['a-token', 'forbidden']]);
    assert.equal((await readSettled(database, tenant)).length, 1);
  });

  it('after the commit get all events of a transaction together, and nothing of one that was undone', async (t) => {
    const told: unknown[][] = [];
    const { writer, database, tenant } = await start(t, {
      listeners: [
        {
          when: 'after_commit',
          name: 'broken',
          types: ['app'],
          handle: () => Promise.reject(new Error('no')),
        },
        {
          when: 'after_commit',
          name: 'cache',
          types: ['app.wanted'],
          handle: (events) => void told.push(events.map(({ data }) => data)),
        },
      ],
    });
    const wanted = (data: number) => anEvent(tenant, { type: 'app.wanted', data });
    await database.asTenant(tenant, async (tx) => {
      await writer.append(tx, [wanted(1), anEvent(tenant)]);
      await writer.append(tx, [wanted(2)]);
      assert.deepEqual(told, []);
    });
    assert.deepEqual(told, [[1, 2]]);
    const undone = database.asTenant(tenant, async (tx) => {
      await writer.append(tx, [wanted(3)]);
      throw new Error('on purpose');
    });
    await assert.rejects(undone);
    assert.deepEqual(told, [[1, 2]]);
  });

  it('hear once of work that had to run twice', async (t) => {
    const told: unknown[][] = [];
    const { writer, database, tenant } = await start(t, {
      listeners: [
        {
          when: 'after_commit',
          name: 'cache',
          types: ['app'],
          handle: (events) => void told.push(events.map(({ data }) => data)),
        },
      ],
    });
    let runs = 0;
    await database.asTenant(tenant, async (tx) => {
      await writer.append(tx, [anEvent(tenant, { data: ++runs })]);
      if (runs === 1) throw Object.assign(new Error('contention'), { code: '40001' });
    });
    assert.deepEqual([runs, told], [2, [[2]]]);
  });
});
