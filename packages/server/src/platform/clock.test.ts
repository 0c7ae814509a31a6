import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { HandClock } from '../../test/support/clock.ts';
import { sleepOn, systemClock } from './clock.ts';

describe('the clock of the machine', () => {
  it('tells the time in milliseconds', () => {
    const before = Date.now();
    const now = systemClock.now();
    assert.ok(before <= now && now <= Date.now());
  });

  it('waits longer than one timer of the runtime can', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let fired = 0;
    systemClock.after(2 ** 31 + 5_000, () => fired++);
    t.mock.timers.tick(2 ** 31 - 1);
    t.mock.timers.tick(5_000);
    assert.equal(fired, 0);
    t.mock.timers.tick(1);
    assert.equal(fired, 1);
  });

  it('stops a timer, also one that is cut into pieces, and stops it twice without harm', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let fired = 0;
    const stops = [10, 2 ** 32].map((ms) => systemClock.after(ms, () => fired++));
    t.mock.timers.tick(9);
    stops[0]?.();
    t.mock.timers.tick(2 ** 31);
    stops[1]?.();
    t.mock.timers.tick(2 ** 32);
    for (const stop of stops) stop();
    assert.equal(fired, 0);
  });

  it('does not keep the process alive', () => {
    const script = `
      import { systemClock } from '${new URL('clock.ts', import.meta.url).href}';
      for (const ms of [1e6, 1e11]) systemClock.after(ms, () => {});
      systemClock.sleep(1e6);
    `;
    const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { timeout: 20_000 });
    assert.equal(child.status, 0, child.stderr.toString());
  });

  it('sleeps, and wakes early when told to', async () => {
    const start = performance.now();
    await systemClock.sleep(10_000, AbortSignal.abort());
    const stop = new AbortController();
    const sleeping = systemClock.sleep(10_000, stop.signal);
    stop.abort(new Error('never seen'));
    await sleeping;
    assert.ok(performance.now() - start < 5_000);
  });
});

describe('sleeping on any clock', () => {
  it('lasts as long as it was asked for', async () => {
    const clock = new HandClock();
    let awake = false;
    void sleepOn(clock, 100).then(() => (awake = true));
    await clock.advance(99);
    assert.equal(awake, false);
    await clock.advance(1);
    assert.equal(awake, true);
  });

  it('leaves neither a timer nor a listener behind', async () => {
    const clock = new HandClock();
    const stop = new AbortController();
    const removed: string[] = [];
    const remove = stop.signal.removeEventListener.bind(stop.signal);
    stop.signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      removed.push(args[0]);
      remove(...args);
    };
    const slept = sleepOn(clock, 100, stop.signal);
    await clock.advance(100);
    await slept;
    assert.deepEqual(removed, ['abort']);
    const woken = sleepOn(clock, 100, stop.signal);
    stop.abort();
    await woken;
    assert.equal(clock.pending, 0);
  });
});

describe('the clock that tests move', () => {
  it('fires timers in the order they are due, each at its time, and those made meanwhile', async () => {
    const clock = new HandClock(0);
    const fired: [string, number][] = [];
    const note = (name: string) => () => void fired.push([name, clock.now()]);
    clock.after(30, note('c'));
    clock.after(10, () => {
      note('a')();
      clock.after(10, note('b'));
    });
    clock.after(30, note('d'));
    clock.after(41, note('never'));
    clock.after(5, note('stopped'))();
    await clock.advance(40);
    assert.deepEqual(fired, [
      ['a', 10],
      ['b', 20],
      ['c', 30],
      ['d', 30],
    ]);
    assert.deepEqual([clock.now(), clock.pending], [40, 1]);
  });
});
