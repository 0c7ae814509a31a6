import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { cloneDatabase } from '../../../test/support/database.ts';
import type { Database } from '../../platform/database/index.ts';
import type { CloudEvent } from '../event.ts';
import { anEvent, innerScope, newTenant, startEventNode } from '../events.testing.ts';
import { endOfLog } from '../store.ts';
import { listConsumers, replayDead, type ConsumerState } from '../operations.ts';
import type { AsyncListener } from './listener.ts';
import { DEFAULT_RETRY, pauseAfter, pauseOf } from './policy.ts';

/** What listeners of all nodes were given, in the order they took it. */
class Heard {
  readonly taken: CloudEvent[] = [];
  readonly tried: CloudEvent[] = [];
  /** Says what a listener does with an event. */
  fault: (event: CloudEvent, signal: AbortSignal) => unknown = () => undefined;
  readonly #watchers = new Set<() => void>();

  listener(more: Partial<AsyncListener> = {}): AsyncListener {
    return {
      when: 'async',
      name: 'ear',
      types: ['app'],
      from: 'start',
      onFailure: 'park',
      retry: { delay: 10, maxDelay: 20, attempts: 3 },
      handle: async (event, signal) => {
        this.tried.push(event);
        try {
          await this.fault(event, signal);
          this.taken.push(event);
        } finally {
          for (const watch of this.#watchers) watch();
        }
      },
      ...more,
    };
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#watchers.add(resolve);
      await promise;
      this.#watchers.delete(resolve);
    }
  }

  get data(): unknown[] {
    return this.taken.map(({ data }) => data);
  }
}

async function start(t: TestContext, listener: AsyncListener, nodes = 1) {
  const target = await cloneDatabase(t);
  const scope = innerScope(t);
  const all = await Promise.all(
    Array.from({ length: nodes }, () => startEventNode(scope, target, { listeners: [listener] })),
  );
  const [{ events, database }] = all as [(typeof all)[0]];
  const tenant = await newTenant(database);
  const write = (...written: [key: string, data: unknown, type?: string][]) =>
    database.asTenant(tenant, (tx) =>
      events.ports.writer.append(
        tx,
        written.map(([partitionkey, data, type = 'app.test']) =>
          anEvent(tenant, { partitionkey, data, type }),
        ),
      ),
    );
  return { nodes: all, ports: events.ports, database, tenant, write };
}

function parked(database: Database): Promise<[string, unknown][]> {
  return database.acrossTenants(async (tx) => {
    const rows = await tx
      .selectFrom('parked_events')
      .select(['state', 'event'])
      .orderBy('transaction_id')
      .orderBy('position')
      .execute();
    return rows.map(({ state, event }) => [state, (JSON.parse(event) as CloudEvent).data]);
  });
}

async function eventually<T>(look: () => Promise<T>, holds: (found: T) => boolean): Promise<T> {
  for (const until = Date.now() + 20_000; ;) {
    const found = await look();
    if (holds(found)) return found;
    assert.ok(Date.now() < until, 'it did not come');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const failsFor =
  (...data: unknown[]) =>
  (event: CloudEvent) => {
    if (data.includes(event.data)) throw new Error('on purpose');
  };

describe('asynchronous listeners', { timeout: 60_000 }, () => {
  it('take what they want, once, however many nodes there are', async (t) => {
    const heard = new Heard();
    const { write } = await start(t, heard.listener({ types: ['app.wanted'] }), 3);
    const wanted = Array.from({ length: 300 }, (_, n) => n);
    for (const n of wanted) await write([`k${n % 20}`, n, 'app.wanted.too'], [`k${n % 20}`, -1, 'app.other']);
    await heard.until(() => heard.taken.length >= 300);
    assert.deepEqual(
      heard.data.toSorted((a, b) => Number(a) - Number(b)),
      wanted,
    );
    for (const [, events] of Map.groupBy(heard.taken, ({ partitionkey }) => partitionkey)) {
      const numbers = events.map(({ data }) => data as number);
      assert.deepEqual(
        numbers.toSorted((a, b) => a - b),
        numbers,
      );
    }
  });

  it('put aside what fails, and what follows it under its key, while everything else goes on', async (t) => {
    const heard = new Heard();
    let mended = false;
    heard.fault = (event) => {
      if (event.data === 'poison' && !mended) throw new Error('on purpose');
    };
    const { write, database } = await start(
      t,
      heard.listener({ retry: { delay: 200, maxDelay: 200, attempts: 1_000 } }),
    );
    await write(['bad', 'poison'], ['bad', 1], ['bad', 2]);
    for (let n = 0; n < 40; n++) await write([`good${n}`, `good${n}`]);
    await heard.until(() => heard.taken.length === 40);
    assert.ok(heard.data.every((data) => String(data).startsWith('good')));
    assert.deepEqual(await parked(database), [
      ['retrying', 'poison'],
      ['retrying', 1],
      ['retrying', 2],
    ]);
    await write(['bad', 3]);
    mended = true;
    await heard.until(() => heard.taken.length === 44);
    assert.deepEqual(heard.data.slice(40), ['poison', 1, 2, 3]);
    await eventually(
      () => parked(database),
      (rows) => rows.length === 0,
    );
  });

  it('give an event up after its last attempt, go on behind it, and take it again on a replay', async (t) => {
    const heard = new Heard();
    heard.fault = failsFor('poison');
    const { write, database, ports, tenant } = await start(t, heard.listener());
    await write(['key', 'poison'], ['key', 'next']);
    await heard.until(() => heard.taken.length === 1);
    assert.deepEqual(
      heard.tried.map(({ data }) => data),
      ['poison', 'poison', 'poison', 'next'],
    );
    assert.equal(new Set(heard.tried.slice(0, 3).map(({ id }) => id)).size, 1);
    assert.deepEqual(
      await eventually(
        () => parked(database),
        (rows) => rows.length === 1,
      ),
      [['dead', 'poison']],
    );
    const [shown] = await listConsumers(ports);
    assert.deepEqual(shown?.parked, { retrying: 0, dead: 1, codes: ['failed'] });

    const actor = { tenant };
    assert.equal(await replayDead(ports, actor, 'ear', { limit: 10, dryRun: true }), 1);
    assert.equal(await replayDead(ports, actor, 'ear', { limit: 10, dryRun: true, code: 'timeout' }), 0);
    assert.deepEqual(await parked(database), [['dead', 'poison']]);
    heard.fault = () => undefined;
    assert.equal(await replayDead(ports, actor, 'ear', { limit: 10, dryRun: false }), 1);
    await heard.until(() => heard.taken.length === 2);
    assert.deepEqual(heard.data, ['next', 'poison']);
    await eventually(
      () => parked(database),
      (rows) => rows.length === 0,
    );
  });

  it('that say so are held up by an event they cannot take, partition by partition', async (t) => {
    const heard = new Heard();
    let mended = false;
    heard.fault = ({ data }) => {
      if (data === 'poison' && !mended) throw new Error('on purpose');
    };
    const { write, ports, database } = await start(t, heard.listener({ onFailure: 'block' }));
    await write(['bad', 'first'], ['bad', 'poison'], ['bad', 'next']);
    const blockedOf = ([one]: ConsumerState[]) => one?.partitions.filter(({ blocked }) => blocked) ?? [];
    const states = await eventually(
      () => listConsumers(ports),
      (found) => blockedOf(found).length > 0,
    );
    assert.equal(blockedOf(states)[0]?.blocked?.code, 'failed');
    for (let n = 0; n < 40; n++) await write([`good${n}`, `good${n}`]);
    await heard.until(() => heard.taken.length >= 31); // all but those of one partition in sixteen, with room
    assert.ok(!heard.data.includes('next') && !heard.data.includes('poison'));
    mended = true;
    await heard.until(() => heard.taken.length === 43);
    assert.ok(heard.data.indexOf('poison') < heard.data.indexOf('next'));
    assert.deepEqual(await parked(database), []);
    await eventually(
      () => listConsumers(ports),
      (found) => blockedOf(found).length === 0,
    );
  });

  it('are told to stop when an attempt takes too long, which counts as a failure', async (t) => {
    const heard = new Heard();
    const stopped: boolean[] = [];
    heard.fault = ({ data }, signal) =>
      data === 'slow' &&
      new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => {
          stopped.push(true);
          reject(new Error('stopped'));
        });
      });
    const { write, database, ports } = await start(
      t,
      heard.listener({ retry: { delay: 10, attempts: 2, attemptTimeout: 50 } }),
    );
    await write(['a', 'slow'], ['b', 'quick']);
    await eventually(
      () => parked(database),
      ([row]) => row?.[0] === 'dead',
    );
    assert.deepEqual(stopped, [true, true]);
    assert.deepEqual((await listConsumers(ports))[0]?.parked.codes, ['timeout']);
    assert.deepEqual(heard.data, ['quick']);
  });

  it('slow nobody else: a listener that hangs keeps no other from its events', async (t) => {
    const [slow, quick] = [new Heard(), new Heard()];
    const release = Promise.withResolvers<void>();
    slow.fault = () => release.promise;
    const target = await cloneDatabase(t);
    const { events, database } = await startEventNode(innerScope(t), target, {
      listeners: [slow.listener({ name: 'slow' }), quick.listener({ name: 'quick' })],
    });
    const tenant = await newTenant(database);
    for (let n = 0; n < 50; n++)
      await database.asTenant(tenant, (tx) =>
        events.ports.writer.append(tx, [anEvent(tenant, { partitionkey: `k${n}`, data: n })]),
      );
    await quick.until(() => quick.taken.length === 50);
    assert.equal(slow.taken.length, 0);
    release.resolve();
    await slow.until(() => slow.taken.length === 50);
  });

  it('begin at the end when they say so', async (t) => {
    const heard = new Heard();
    const target = await cloneDatabase(t);
    const scope = innerScope(t);
    const first = await startEventNode(scope, target);
    const tenant = await newTenant(first.database);
    const write = (data: string) =>
      first.database.asTenant(tenant, (tx) =>
        first.events.ports.writer.append(tx, [anEvent(tenant, { data })]),
      );
    await write('before');
    // The end lies where no open transaction of the whole server can commit before it any more.
    await untilReadable(first.database);
    await startEventNode(scope, target, { listeners: [heard.listener({ from: 'end' })] });
    await write('after');
    await heard.until(() => heard.taken.length > 0);
    assert.deepEqual(heard.data, ['after']);
  });
});

/** Waits until everything written lies before the end of the log. */
async function untilReadable(database: Database): Promise<void> {
  for (;;) {
    const behind = await database.acrossTenants(async (tx) => {
      const { transaction } = await endOfLog(tx);
      return tx.selectFrom('events').select('position').where('transaction_id', '>=', transaction).execute();
    });
    if (behind.length === 0) return;
    await pause(10);
  }
}

describe('pauses between attempts', () => {
  const policy = { ...DEFAULT_RETRY, attempts: 5, delay: 100, factor: 2, maxDelay: 500, jitter: 0.5 };

  it('grow up to a bound, vary by chance, and end', () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5].map((attempt) => pauseAfter(policy, attempt, 0)),
      [100, 200, 400, 500, undefined],
    );
    assert.equal(pauseAfter(policy, 1, 1), 50);
    assert.equal(pauseOf(policy, 9, 0), 500);
  });
});
