import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { newId } from '../../src/platform/ids.ts';
import { check } from './checker.ts';
import type { Ask } from './node.ts';
import { startOwnServer } from './postgres.ts';
import { isJournalWrite, type Intercept, type Phase, type Verdict } from './proxy.ts';
import { allQuiet, readCalls } from './records.ts';
import { setScene } from './scene.ts';
import { until } from './until.ts';

/** Engine rule 2: after a lost connection nobody knows whether the commit happened. */

const server = await startOwnServer({ after });

interface Write {
  readonly what: string;
  /** Which it is of the journal writes that mention the run, or the group. */
  readonly nth: number;
  readonly of?: 'group';
  /** An end without an attempt in the journal cannot be told from another node's, so the node keeps silent. */
  readonly untold?: true;
  readonly ask: Omit<Ask, 'run' | 'action'>;
  /** Requests the whole run takes. */
  readonly requests: number;
}

const WRITES: readonly Write[] = [
  { what: 'an accept', nth: 1, ask: {}, requests: 1 },
  { what: 'an outcome', nth: 2, ask: {}, requests: 1 },
  { what: 'an outcome with an owned child', nth: 2, ask: { second: 'at once' }, requests: 2 },
  { what: 'the outcome of that child', nth: 3, ask: { second: 'at once' }, requests: 2 },
  { what: 'an outcome whose continuation comes later', nth: 2, ask: { second: 'later' }, requests: 2 },
  {
    what: 'that continuation, with its owned child',
    nth: 3,
    untold: true,
    ask: { second: 'later' },
    requests: 2,
  },
  { what: 'the last outcome of a group', nth: 2, ask: { group: newId() }, requests: 2 },
  {
    what: "a group's continuation, with its owned child",
    nth: 2,
    of: 'group',
    ask: { group: newId() },
    requests: 2,
  },
];

interface Fault {
  readonly how: string;
  readonly phase: Phase;
  readonly verdict: Verdict;
  /** How often it happens to the same write. */
  readonly times: number;
}

const FAULTS: readonly Fault[] = [
  { how: 'is cut off before it is sent', phase: 'asked', verdict: 'cut', times: 1 },
  { how: 'is cut off while it is under way', phase: 'sent', verdict: 'cut', times: 1 },
  { how: 'is committed and not confirmed', phase: 'answered', verdict: 'cut', times: 1 },
  { how: 'is committed and not confirmed three times', phase: 'answered', verdict: 'cut', times: 3 },
  { how: 'is committed and its connection is reset', phase: 'answered', verdict: 'reset', times: 1 },
];

/** Does it to the nth journal write that mentions this text, and to its repetitions. */
function onWrite(mentioned: string, nth: number, fault: Fault): { intercept: Intercept; left: () => number } {
  let writes = 0;
  let left = fault.times;
  return {
    left: () => left,
    intercept(exchange, phase) {
      if (!isJournalWrite(exchange) || !exchange.mentions(mentioned)) return 'pass';
      if (phase === 'asked') writes++;
      if (writes < nth || left === 0 || phase !== fault.phase) return 'pass';
      left--;
      return fault.verdict;
    },
  };
}

describe('a write nobody knows about', { concurrency: true }, () => {
  for (const fault of FAULTS)
    it(fault.how, async (t) => {
      const { target, stub, clients, node: start } = await setScene(t, server);
      const { node, proxy } = await start(5_000);
      let calls = 0;
      for (const { what, nth, of, untold, ask: rest, requests } of WRITES)
        await t.test(what, async () => {
          const run = newId();
          const ask: Ask = { action: 't/never', run, ...rest };
          const { intercept, left } = onWrite((of === 'group' && ask.group) || run, nth, fault);
          proxy.intercept = intercept;
          assert.ok(await clients.note(ask, node.accept(ask)), 'the caller is told in the end');
          await allQuiet(target);
          await until('the fault happens as often as it should', () => left() === 0);
          await allQuiet(target);
          const counts = await check({ target, stub, clients });
          calls += requests;
          const { executed, unknown, held, late } = counts;
          assert.deepEqual(
            { executed, calls: counts.calls, unknown, held, late },
            { executed: calls, calls, unknown: 0, held: 0, late: 0 },
          );
          assert.equal(new Set(node.ended).size, node.ended.length, 'no end is told twice');
          const ours = (await readCalls(target)).filter((call) => call.run === run);
          if (!untold)
            await until('the node knows what it ended', () =>
              ours.every(({ id }) => node.ended.includes(id)),
            );
        });
    });
});

/** Engine rule 4: the owning commit is the record that a call may have been sent. */
describe('a call', () => {
  for (const { what, nth, ask: rest } of [
    { what: 'that is accepted', nth: 1, ask: {} },
    { what: 'that follows another', nth: 2, ask: { second: 'at once' } },
  ] as const)
    it(`${what} is not sent before its commit`, async (t) => {
      const { target, stub, clients, node: start } = await setScene(t, server);
      const { node, proxy } = await start(5_000);
      const run = newId();
      let writes = 0;
      let sentBefore = 0;
      proxy.intercept = async (exchange, phase): Promise<Verdict> => {
        if (!isJournalWrite(exchange) || !exchange.mentions(run)) return 'pass';
        if (phase === 'asked') writes++;
        if (writes !== nth || phase === 'sent') return 'pass';
        await pause(200); // time enough to send what must not be sent
        sentBefore = stub.log.length;
        return 'pass';
      };
      const ask: Ask = { action: 't/never', run, ...rest };
      assert.ok(await clients.note(ask, node.accept(ask)));
      await allQuiet(target);
      assert.equal(sentBefore, nth - 1);
      await check({ target, stub, clients });
    });
});
