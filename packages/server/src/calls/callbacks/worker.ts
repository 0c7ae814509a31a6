import type { Clock, StopTimer } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import type { Log } from '../../platform/log.ts';
import type { Reception } from './reception.ts';
import * as store from './store.ts';

/** Milliseconds between rounds. */
const EVERY = 1_000;
const MOST = 100;
const HOUR = 3_600_000;

export interface CallbackWorker {
  start(): void;
  /** A call waits now: what came before is used. */
  waits(call: { readonly tenant: string; readonly id: string }): void;
  /** Takes up nothing new, and lets what is under way finish. */
  stop(): Promise<void>;
}

/** Uses what came early, and takes up what a node left when it stopped. */
export function createCallbackWorker(parts: {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly reception: Reception;
}): CallbackWorker {
  const { database, clock, log, reception } = parts;
  const underWay = new Set<Promise<void>>();
  let stopped = false;
  let stopTimer: StopTimer | undefined;
  let nextKeep = 0;

  /** What fails is found again by the next round. */
  function goOn(work: () => Promise<unknown>): Promise<void> {
    const done = work()
      .then(() => undefined)
      .catch((err: unknown) => log.warn('deliveries to callbacks were left to the next round', { err }));
    underWay.add(done);
    return done.finally(() => underWay.delete(done));
  }

  async function round(): Promise<void> {
    const left = await database.acrossTenants((tx) => store.leftOver(tx, { most: MOST, age: EVERY }));
    await Promise.all(left.map((delivery) => goOn(() => reception.takeUp(delivery))));
    if (clock.now() < nextKeep) return;
    nextKeep = clock.now() + HOUR;
    await database.acrossTenants((tx) => store.forget(tx, 1_000));
  }

  function arm(): void {
    if (stopped) return;
    stopTimer = clock.after(EVERY, () => void goOn(round).then(arm));
  }

  return {
    start: arm,
    waits: (call) => void goOn(() => reception.carryOutKept(call)),
    async stop() {
      stopped = true;
      stopTimer?.();
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}
