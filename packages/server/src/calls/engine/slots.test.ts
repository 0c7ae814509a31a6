import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HandClock } from '../../../test/support/clock.ts';
import { Slots, verdictOn, type Slot, type SlotLimits, type TargetLimits } from './slots.ts';

const BREAKER = { failures: 3, pause: 1_000 };

function slotsOf(more: Partial<Omit<SlotLimits, 'target'>> & Partial<TargetLimits> = {}) {
  const { node = 100, tenant = 100, ...ofTarget } = more;
  const clock = new HandClock();
  const target = { concurrency: 100, breaker: BREAKER, ...ofTarget };
  return { slots: new Slots({ node, tenant, target: () => target }, clock), clock };
}

/** Takes as many as there are. */
function drain(slots: Slots, tenant = 't', target = 'x'): Slot[] {
  const taken: Slot[] = [];
  for (let slot = slots.take(tenant, target); slot; slot = slots.take(tenant, target)) taken.push(slot);
  return taken;
}

describe('limits', () => {
  it('holds for the node, whoever asks', () => {
    const { slots } = slotsOf({ node: 2 });
    const first = slots.take('a', 'x');
    assert.ok(first && slots.take('b', 'y'));
    assert.equal(slots.take('c', 'z'), undefined);
    assert.equal(slots.room, 0);
    first.end('good');
    assert.ok(slots.take('c', 'z'));
  });

  it('holds for a tenant over all its targets, and leaves others alone', () => {
    const { slots } = slotsOf({ tenant: 2 });
    assert.ok(slots.take('a', 'x') && slots.take('a', 'y'));
    assert.equal(slots.take('a', 'z'), undefined);
    assert.ok(slots.take('b', 'x'));
  });

  it('holds for a target of one tenant, not of another', () => {
    const { slots } = slotsOf({ concurrency: 1 });
    assert.ok(slots.take('a', 'x'));
    assert.equal(slots.take('a', 'x'), undefined);
    assert.ok(slots.take('b', 'x') && slots.take('a', 'y'));
  });

  it('is divided by the living nodes, and every node keeps at least one', () => {
    const { slots } = slotsOf({ concurrency: 10 });
    slots.share(3);
    assert.equal(drain(slots).length, 3);
    slots.share(2);
    assert.equal(drain(slots).length, 2);
    slots.share(1_000);
    assert.ok(slots.take('another', 'x'));
    slots.share(0);
    assert.equal(drain(slots).length, 5);
  });

  it('divides the tenant’s limit too', () => {
    const { slots } = slotsOf({ tenant: 4 });
    slots.share(2);
    assert.equal(drain(slots).length, 2);
  });

  it('gives a slot back once, however often it is ended', () => {
    const { slots } = slotsOf({ node: 2 });
    const [one] = drain(slots);
    one?.end('good');
    one?.end('good');
    assert.equal(slots.running, 1);
    assert.equal(drain(slots).length, 1);
  });

  it('counts what is owned already beyond the limits', () => {
    const { slots } = slotsOf({ node: 1 });
    const owned = [slots.insist('t', 'x'), slots.insist('t', 'x')];
    assert.equal(slots.room, -1);
    assert.equal(slots.take('u', 'y'), undefined);
    for (const slot of owned) slot.end('none');
    assert.equal(slots.room, 1);
  });
});

describe('the rate of a target', () => {
  it('lets a second’s worth start at once, then as time passes', async () => {
    const { slots, clock } = slotsOf({ rate: 5 });
    assert.equal(drain(slots).length, 5);
    await clock.advance(199);
    assert.equal(slots.take('t', 'x'), undefined);
    await clock.advance(1);
    assert.equal(drain(slots).length, 1);
    await clock.advance(60_000);
    assert.equal(drain(slots).length, 5, 'what was not used is not saved up');
  });

  it('is divided by the living nodes', async () => {
    const { slots, clock } = slotsOf({ rate: 10 });
    slots.share(5);
    assert.equal(drain(slots).length, 2);
    await clock.advance(500);
    assert.equal(drain(slots).length, 1);
  });

  it('below one a second still lets one start', async () => {
    const { slots, clock } = slotsOf({ rate: 0.5 });
    assert.equal(drain(slots).length, 1);
    await clock.advance(1_999);
    assert.equal(drain(slots).length, 0);
    await clock.advance(2);
    assert.equal(drain(slots).length, 1);
  });
});

describe('the breaker', () => {
  const fail = (slots: Slots, times: number) => {
    for (let n = 0; n < times; n++) slots.take('t', 'x')?.end('bad');
  };

  it('opens after so many failures in a row, for its pause', async () => {
    const { slots, clock } = slotsOf();
    fail(slots, 2);
    slots.take('t', 'x')?.end('good');
    fail(slots, 2);
    assert.ok(slots.take('t', 'x'), 'a success in between starts the count anew');
    const { slots: others } = slotsOf();
    fail(others, 3);
    assert.equal(others.take('t', 'x'), undefined);
    assert.ok(others.take('t', 'y') && others.take('u', 'x'), 'other targets and tenants go on');
    await clock.advance(0);
  });

  it('lets one try after the pause, and only one', async () => {
    const { slots, clock } = slotsOf();
    fail(slots, 3);
    await clock.advance(999);
    assert.equal(slots.take('t', 'x'), undefined);
    await clock.advance(1);
    assert.deepEqual(slots.narrowLanes(2), [{ lane: slots.lane('t', 'x'), room: 1, running: 0 }]);
    assert.equal(drain(slots).length, 1);
  });

  it('closes when the one that tried did well', async () => {
    const { slots, clock } = slotsOf({ concurrency: 4 });
    fail(slots, 3);
    await clock.advance(1_000);
    slots.take('t', 'x')?.end('good');
    assert.equal(drain(slots).length, 4);
  });

  it('opens again when it did badly, and lets the next try when it says nothing', async () => {
    const { slots, clock } = slotsOf();
    fail(slots, 3);
    await clock.advance(1_000);
    slots.take('t', 'x')?.end('bad');
    assert.equal(slots.take('t', 'x'), undefined);
    await clock.advance(1_000);
    slots.take('t', 'x')?.end('none');
    assert.ok(slots.take('t', 'x'));
  });

  it('does not let the try be one of many that still run', async () => {
    const { slots, clock } = slotsOf();
    const running = [slots.take('t', 'x'), slots.take('t', 'x'), slots.take('t', 'x'), slots.take('t', 'x')];
    for (const slot of running.slice(0, 3)) slot?.end('bad');
    await clock.advance(1_000);
    assert.equal(slots.take('t', 'x'), undefined, 'one still runs');
    running[3]?.end('none');
    assert.ok(slots.take('t', 'x'));
  });

  it('only takes absence and overload for bad health', () => {
    assert.deepEqual(
      (['unavailable', 'timeout', 'transient', 'rate_limited', 'permanent'] as const).map(verdictOn),
      ['bad', 'bad', 'none', 'none', 'none'],
    );
  });
});

describe('lanes', () => {
  it('are one for each tenant and target, the same on every node', () => {
    const [one, two] = [slotsOf().slots, slotsOf().slots];
    assert.equal(one.lane('t', 'x'), two.lane('t', 'x'));
    assert.notEqual(one.lane('t', 'x'), one.lane('t', 'y'));
    assert.notEqual(one.lane('t', 'x'), one.lane('u', 'x'));
    assert.ok(Number.isSafeInteger(one.lane('t', 'x')));
  });

  it('tell how many could start: by target, by tenant, by breaker, by rate', () => {
    const { slots } = slotsOf({ tenant: 4, concurrency: 3 });
    const [a, b] = [slots.lane('t', 'a'), slots.lane('t', 'b')];
    const room = (lane: number) => slots.narrowLanes(100).find((one) => one.lane === lane)?.room;
    assert.deepEqual([room(a), room(b)], [3, 3]);
    drain(slots, 't', 'a');
    assert.deepEqual([room(a), room(b)], [0, 1], 'one is left to the tenant');
    drain(slots, 't', 'b');
    assert.deepEqual([room(a), room(b)], [0, 0]);
    assert.deepEqual(slots.narrowLanes(0), []);
  });

  it('are forgotten when nothing runs of them, even after failures', () => {
    const { slots } = slotsOf({ node: 50_000, tenant: 50_000 });
    const kept = slots.take('t', 'kept');
    for (let n = 0; n < 25_000; n++) slots.take('t', `host-${n}`)?.end('bad');
    assert.ok(slots.narrowLanes(1_000).length <= 10_000);
    kept?.end('good');
    assert.equal(slots.running, 0);
  });
});

it('never lets more run than any limit allows, never counts below zero, in any order', async () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ take: fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom('x', 'y')) }),
      fc.record({ end: fc.nat(20), verdict: fc.constantFrom('good', 'bad', 'none') }),
      fc.record({ pass: fc.nat(2_000) }),
      fc.record({ share: fc.integer({ min: 0, max: 4 }) }),
    ),
    { maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const { slots, clock } = slotsOf({ node: 5, tenant: 4, concurrency: 3 });
      const held: { slot: Slot; tenant: string; name: string }[] = [];
      const count = (tenant: string, name?: string) =>
        held.filter((one) => one.tenant === tenant && (name ?? one.name) === one.name).length;
      let nodes = 1;
      for (const step of all) {
        if ('take' in step) {
          const [tenant, name] = step.take;
          const slot = slots.take(tenant, name);
          if (!slot) continue;
          held.push({ slot, tenant, name });
          assert.ok(held.length <= 5);
          assert.ok(count(tenant) <= Math.max(1, Math.floor(4 / nodes)));
          assert.ok(count(tenant, name) <= Math.max(1, Math.floor(3 / nodes)));
        } else if ('end' in step) held.splice(step.end, 1)[0]?.slot.end(step.verdict);
        else if ('pass' in step) await clock.advance(step.pass);
        else slots.share((nodes = Math.max(1, step.share)));
        assert.equal(slots.running, held.length);
      }
      for (const { slot } of held) slot.end('none');
      assert.equal(slots.room, 5);
    }),
  );
});
