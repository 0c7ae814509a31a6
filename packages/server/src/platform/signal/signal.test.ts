import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { Client } from 'pg';
import { HandClock } from '../../../test/support/clock.ts';
import { cloneDatabase } from '../../../test/support/database.ts';
import { systemClock } from '../clock.ts';
import { clientConfig, type DatabaseTarget } from '../database/index.ts';
import { createLog } from '../log.ts';
import { layWire } from './frozen-wire.fixture.ts';
import { createSignal, type Listener, type SignalOptions } from './index.ts';

/** Remembers what it was told, in order: the keys of each telling, or 'missed'. */
class Ear implements Listener {
  readonly told: (readonly string[] | 'missed')[] = [];
  #check: () => void = () => {};

  heard(keys: readonly string[]): void {
    this.told.push(keys);
    this.#check();
  }

  missed(): void {
    this.told.push('missed');
    this.#check();
  }

  get keys(): string[] {
    return this.told.flatMap((telling) => (telling === 'missed' ? [] : telling));
  }

  get misses(): number {
    return this.told.filter((telling) => telling === 'missed').length;
  }

  until(condition: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#check = () => condition() && resolve();
    this.#check();
    return promise;
  }
}

/** A node of the hub that is connected and listens to the topic `doc`. */
async function startNode(t: TestContext, target: DatabaseTarget, options: Partial<SignalOptions> = {}) {
  const log = createLog({ level: 'silent' });
  const signal = createSignal({ target, log, clock: systemClock, ...options });
  t.after(() => signal.close());
  const ear = new Ear();
  signal.on('doc', ear);
  await ear.until(() => ear.misses === 1);
  ear.told.length = 0;
  return { signal, ear };
}

/** A plain client that hears what travels between nodes. */
async function wiretap(t: TestContext, target: DatabaseTarget) {
  const client = new Client(clientConfig(target));
  await client.connect();
  client.on('error', () => {}); // the end of the test drops the database first
  t.after(() => client.end());
  const ear = new Ear();
  client.on('notification', ({ payload = '' }) => ear.heard([payload]));
  await client.query('listen linkspan_signal');
  return { client, ear };
}

async function killLines(client: Client): Promise<void> {
  await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name = 'linkspan_signal'`,
  );
}

describe('signals', { timeout: 120_000 }, () => {
  it('reach the other nodes within a second, and only those who listen to the topic', async (t) => {
    const target = await cloneDatabase(t);
    const [a, b] = [await startNode(t, target), await startNode(t, target)];
    const start = performance.now();
    a.signal.send('other', 'x');
    a.signal.send('doc', '1');
    await b.ear.until(() => b.ear.keys.length > 0);
    assert.ok(performance.now() - start < 1_000);
    assert.deepEqual(b.ear.told, [['1']]);
  });

  it('reach listeners of the own node at once, without the database, and not twice', async (t) => {
    const target = await cloneDatabase(t);
    const [a, b] = [await startNode(t, target), await startNode(t, target)];
    a.signal.send('doc', '1');
    a.signal.send('doc', '2');
    await Promise.resolve();
    assert.deepEqual(a.ear.told, [['1', '2']]);
    await b.ear.until(() => b.ear.keys.length === 2);
    b.signal.send('doc', '3');
    await a.ear.until(() => a.ear.keys.includes('3')); // the echo of 1 and 2 came before
    assert.deepEqual(a.ear.told, [['1', '2'], ['3']]);
  });

  it('travel together: many in a window are one notification', async (t) => {
    const target = await cloneDatabase(t);
    const tap = await wiretap(t, target);
    const clock = new HandClock();
    const [{ signal }, other] = [await startNode(t, target, { clock }), await startNode(t, target)];
    for (let turn = 0; turn < 4; turn++) {
      for (let key = 0; key < 25; key++) signal.send('doc', `${key % 20}`);
      await clock.advance(1);
    }
    assert.equal(tap.ear.told.length, 0);
    await clock.advance(1);
    await tap.ear.until(() => tap.ear.told.length > 0);
    await signal.close(); // sends what is left, if anything is
    other.signal.send('last');
    await tap.ear.until(() => tap.ear.keys.some((payload) => payload.includes('"last"')));
    assert.equal(tap.ear.told.length, 2);
  });

  it('arrive all in a burst of 10,000, in few notifications', async (t) => {
    const target = await cloneDatabase(t);
    const tap = await wiretap(t, target);
    const [a, b] = [await startNode(t, target), await startNode(t, target)];
    const keys = Array.from({ length: 10_000 }, (_, index) => `${index}`.padStart(36, '0'));
    for (const key of keys) a.signal.send('doc', key);
    await b.ear.until(() => b.ear.keys.length >= keys.length);
    assert.deepEqual(b.ear.keys, keys);
    a.signal.send('end');
    await tap.ear.until(() => tap.ear.keys.some((payload) => payload.includes('"end"')));
    assert.equal(tap.ear.told.length, 50 + 1);
  });

  it('without a key tell the topic alone', async (t) => {
    const target = await cloneDatabase(t);
    const [a, b] = [await startNode(t, target), await startNode(t, target)];
    a.signal.send('doc');
    await b.ear.until(() => b.ear.told.length > 0);
    assert.deepEqual([a.ear.told, b.ear.told], [[[]], [[]]]);
  });

  it('say that something was missed when the connection is killed, and again when it is back', async (t) => {
    const target = await cloneDatabase(t);
    const { client } = await wiretap(t, target);
    const [a, b] = [await startNode(t, target), await startNode(t, target)];
    await killLines(client);
    await Promise.all([a, b].map(({ ear }) => ear.until(() => ear.misses === 2)));
    assert.equal(b.signal.live, true);
    a.signal.send('doc', 'later');
    await b.ear.until(() => b.ear.keys.includes('later'));
    assert.deepEqual(b.ear.told, ['missed', 'missed', ['later']]);
  });

  it('sent while there is no connection arrive when it is back', async (t) => {
    const target = await cloneDatabase(t);
    const { client } = await wiretap(t, target);
    const clock = new HandClock();
    const [a, b] = [await startNode(t, target, { clock }), await startNode(t, target)];
    await killLines(client);
    await a.ear.until(() => a.ear.misses === 1);
    await b.ear.until(() => b.ear.misses === 2);
    assert.equal(a.signal.live, false);
    a.signal.send('doc', 'kept');
    await clock.advance(1_000);
    await a.ear.until(() => a.ear.misses === 2);
    await clock.advance(1_000);
    await b.ear.until(() => b.ear.keys.length > 0);
    assert.deepEqual(b.ear.keys, ['kept']);
  });

  it('notice a connection that died without a word, and lose nothing that was on its way', async (t) => {
    const target = await cloneDatabase(t);
    const wire = await layWire(t, target);
    const clock = new HandClock();
    const a = await startNode(t, target);
    const b = await startNode(t, wire.target, { clock, timing: { poll: 1e9 } });
    wire.freeze();
    b.signal.send('doc', 'on its way');
    await clock.advance(15_000);
    assert.deepEqual([b.signal.live, b.ear.misses], [true, 0]);
    await clock.advance(5_000);
    await b.ear.until(() => b.ear.misses === 1);
    await clock.advance(1_000);
    await b.ear.until(() => b.ear.misses === 2);
    a.signal.send('doc', 'later');
    await b.ear.until(() => b.ear.keys.includes('later'));
    await clock.advance(1_000);
    await a.ear.until(() => a.ear.keys.includes('on its way'));
  });

  it('keep a healthy connection: each heartbeat comes back before the next', async (t) => {
    const target = await cloneDatabase(t);
    const tap = await wiretap(t, target);
    const { ear, signal } = await startNode(t, target, { timing: { heartbeat: 1, patience: 20_000 } });
    await tap.ear.until(() => tap.ear.told.length > 10);
    assert.deepEqual([ear.misses, signal.live], [0, true]);
  });

  it('have a slow poll as backstop', async (t) => {
    const clock = new HandClock();
    const timing = { heartbeat: 1e9 };
    const { ear } = await startNode(t, await cloneDatabase(t), { clock, timing });
    await clock.advance(59_999);
    assert.equal(ear.misses, 0);
    await clock.advance(60_001);
    assert.equal(ear.misses, 2);
  });

  it('without a database are not live, and are heard on the own node all the same', async () => {
    const log = createLog({ level: 'silent' });
    const target = { host: '127.0.0.1', port: 1, user: 'x', database: 'x' };
    const signal = createSignal({ target, log, clock: systemClock });
    const ear = new Ear();
    signal.on('doc', ear);
    signal.send('doc', 'here');
    await ear.until(() => ear.keys.length === 1);
    assert.equal(signal.live, false);
    await signal.close();
  });

  it('that are none are passed over with a line in the log', async (t) => {
    const target = await cloneDatabase(t);
    const lines: string[] = [];
    const log = createLog({ level: 'warn', destination: { write: (line) => void lines.push(line) } });
    const { client } = await wiretap(t, target);
    const [a, b] = [await startNode(t, target), await startNode(t, target, { log })];
    await client.query(`notify linkspan_signal, 'canary garbage'`);
    a.signal.send('doc', 'after');
    await b.ear.until(() => b.ear.keys.length > 0);
    assert.deepEqual(b.ear.told, [['after']]);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /"bytes":14,"msg":"an unreadable signal was ignored"/);
    assert.doesNotMatch(lines[0] ?? '', /canary/);
  });

  it('reach the others when one listener throws, and no listener that left', async (t) => {
    const target = await cloneDatabase(t);
    const { signal, ear } = await startNode(t, target);
    const fail = (): never => {
      throw new Error('a fault of a listener');
    };
    const [left, last] = [new Ear(), new Ear()];
    signal.on('doc', { heard: fail, missed: fail });
    const leave = signal.on('doc', left);
    signal.on('doc', last);
    leave();
    signal.send('doc', '1');
    await last.until(() => last.keys.length > 0);
    assert.deepEqual([ear.told, left.told, last.told], [[['1']], [], [['1']]]);
  });

  it('take no key that would not fit', async (t) => {
    const { signal } = await startNode(t, await cloneDatabase(t));
    assert.throws(() => signal.send('doc', 'x'.repeat(513)), RangeError);
  });

  it('are sent before the node closes; after it nothing is sent or told', async (t) => {
    const target = await cloneDatabase(t);
    const [a, b] = [await startNode(t, target), await startNode(t, target)];
    a.signal.send('doc', 'last');
    await a.signal.close();
    await a.signal.close();
    a.signal.send('doc', 'too late');
    b.signal.send('doc', 'from b');
    await b.ear.until(() => b.ear.keys.includes('last'));
    assert.equal(a.signal.live, false);
    assert.deepEqual(b.ear.keys.includes('too late'), false);
    assert.deepEqual(a.ear.keys.includes('from b'), false);
  });

  it('let the process end once they are closed, connected or not', async (t) => {
    const target = await cloneDatabase(t);
    const script = `
      import { createSignal } from '${new URL('index.ts', import.meta.url).href}';
      import { systemClock } from '${new URL('../clock.ts', import.meta.url).href}';
      import { createLog } from '${new URL('../log.ts', import.meta.url).href}';
      const log = createLog({ level: 'silent' });
      const connecting = createSignal({ target: ${JSON.stringify(target)}, log, clock: systemClock });
      await connecting.close();
      const signal = createSignal({ target: ${JSON.stringify(target)}, log, clock: systemClock });
      await new Promise((missed) => signal.on('doc', { heard() {}, missed }));
      signal.send('doc', '1');
      await signal.close();
      process.stdout.write('closed');
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { timeout: 20_000 });
    t.after(() => child.kill('SIGKILL'));
    const output: string[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    assert.deepEqual(await once(child, 'close'), [0, null], output.join(''));
    assert.equal(output.join(''), 'closed');
  });
});
