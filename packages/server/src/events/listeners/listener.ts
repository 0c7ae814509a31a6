import type { Transaction } from '../../platform/database/index.ts';
import { isBelow, type CloudEvent } from '../event.ts';
import type { RetryPolicy } from './policy.ts';

interface Named {
  /** Names the listener for good: an asynchronous one continues where a listener of its name was. */
  readonly name: string;
  /** Types it wants, or what they lie below: `linkspan.token`, `app`. */
  readonly types: readonly string[];
}

/**
 * Listens in the transaction of what happened, and sees what it sees. When it throws, what happened is undone, and the
 * caller is told `event_refused`. No outgoing request happens in it (promise 5).
 */
export interface TransactionListener extends Named {
  readonly when: 'in_transaction';
  readonly handle: (tx: Transaction, event: CloudEvent) => Promise<void>;
}

/**
 * Listens on the node that wrote the events, once their transaction has committed; all events of a transaction come
 * together. What it throws is logged, and the events do not come again: for caches and the like.
 */
export interface CommitListener extends Named {
  readonly when: 'after_commit';
  readonly handle: (events: readonly CloudEvent[]) => void | Promise<void>;
}

/**
 * Listens on any node, later, and survives the end of nodes. Events come at least once, those of one key in order; one
 * that comes twice has the same id. What it throws means that it is given the event again, as `retry` says.
 */
export interface AsyncListener extends Named {
  readonly when: 'async';
  readonly handle: (event: CloudEvent, signal: AbortSignal) => Promise<void>;
  readonly retry?: Partial<RetryPolicy>;
  /**
   * What is done with an event it cannot take. `park`: the event and what follows it under the same key wait aside,
   * everything else goes on, and after the last attempt it is given up. `block`: its partition waits until it is taken.
   */
  readonly onFailure: 'park' | 'block';
  /** Where a listener that never ran begins: with what happens from now on, or with the oldest event kept. */
  readonly from: 'start' | 'end';
}

export type Listener = TransactionListener | CommitListener | AsyncListener;

export function wants({ types }: Named, { type }: CloudEvent): boolean {
  return types.some((prefix) => isBelow(type, prefix));
}
