import type { Database, Transaction } from '../platform/database/index.ts';
import type { CloudEvent } from './event.ts';

/** What a transaction has written so far. */
const bundles = new WeakMap<Transaction, CloudEvent[]>();

/** Notes events for those who are told when the transaction has committed. */
export function bundle(tx: Transaction, events: readonly CloudEvent[]): void {
  bundles.get(tx)?.push(...events);
}

/**
 * The same database, which tells the events of a transaction once it has committed. A transaction that is undone, or of
 * which nobody knows because the connection broke, tells nothing.
 */
export function tellingCommits(
  database: Database,
  committed: (events: readonly CloudEvent[]) => void,
): Database {
  const telling = async <T>(
    transact: (work: (tx: Transaction) => Promise<T>) => Promise<T>,
    work: (tx: Transaction) => Promise<T>,
  ): Promise<T> => {
    let written: CloudEvent[] = [];
    const result = await transact((tx) => {
      // The work may run more than once, and only its last run was committed.
      bundles.set(tx, (written = []));
      return work(tx);
    });
    if (written.length > 0) committed(written);
    return result;
  };
  return {
    target: database.target,
    asTenant: (tenant, work) => telling((inner) => database.asTenant(tenant, inner), work),
    acrossTenants: (work) => telling((inner) => database.acrossTenants(inner), work),
    close: () => database.close(),
  };
}
