import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { newId } from '../../src/platform/ids.ts';
import { check } from './checker.ts';
import { startOwnServer } from './postgres.ts';
import { isJournalWrite, type Exchange, type Intercept } from './proxy.ts';
import { allQuiet } from './records.ts';
import { setScene } from './scene.ts';
import { until } from './until.ts';

const server = await startOwnServer({ after });

/** Milliseconds. */
const LEASE = 2_000;

/** Longer than any patience of a node: a connection that fell silent is given up by then. */
const GIVEN_UP = 60_000;

/** Lets the first such exchange be answered, and its connection be silent from then on. */
function silentAfter(isMeant: (exchange: Exchange) => boolean): {
  intercept: Intercept;
  happened: () => boolean;
} {
  let happened = false;
  return {
    happened: () => happened,
    intercept(exchange, phase) {
      if (happened || phase !== 'answered' || !isMeant(exchange)) return 'pass';
      happened = true;
      return 'stall';
    },
  };
}

describe('a connection that falls silent', { concurrency: true }, () => {
  it('over a journal write is given up, and the write is not made twice', async (t) => {
    const { target, stub, clients, node: start } = await setScene(t, server);
    const { node, proxy } = await start(LEASE);
    const run = newId();
    let writes = 0;
    const write = silentAfter(
      (exchange) => isJournalWrite(exchange) && exchange.mentions(run) && ++writes === 2,
    );
    proxy.intercept = write.intercept;
    const ask = { action: 't/never', run, second: 'at once' } as const;
    assert.ok(await clients.note(ask, node.accept(ask)));
    await allQuiet(target);
    assert.ok(write.happened());
    const { executed, unknown, late } = await check({ target, stub, clients });
    assert.deepEqual({ executed, unknown, late }, { executed: 2, unknown: 0, late: 0 });
  });

  for (const [what, statement] of [
    ['the renewal of a lease', 'update nodes set lease_until'],
    ['a sweep', 'set ready = true'],
    ['a claim', 'claim_calls('],
  ] as const)
    it(`over ${what} does not stop the node for good`, async (t) => {
      const { target, stub, clients, node: start } = await setScene(t, server);
      const { node, proxy } = await start(LEASE);
      const silent = silentAfter((exchange) => exchange.statement.includes(statement));
      proxy.intercept = silent.intercept;
      await until('it falls silent', silent.happened);
      const ask = { action: 't/idempotent', run: newId(), delay: 50 } as const;
      assert.ok(await clients.note(ask, node.accept(ask)));
      await until('the call is made', () => stub.log.length > 0, GIVEN_UP);
      await allQuiet(target);
      await check({ target, stub, clients });
    });
});
