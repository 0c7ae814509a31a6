import type { Clock } from '../clock.ts';
import type { DatabaseTarget } from '../database/index.ts';
import type { Log } from '../log.ts';

/** Who wants to know about a topic. What a listener throws is logged and keeps nothing from the others. */
export interface Listener {
  /** These keys were sent, each at least once; none of a topic whose senders name no key. Repeats are normal. */
  heard(keys: readonly string[]): void;
  /**
   * Signals may have been missed: drop what is cached, read the truth again. Told when the connection is lost,
   * when it stands (again), and now and then in any case.
   */
  missed(): void;
}

/**
 * Hints between nodes that something changed; never the truth itself (engine rule 11). A signal may come twice,
 * late or not at all: whoever listens must also be right when told only that something was missed.
 */
export interface Signal {
  /**
   * Tells every node, this one included, after the transaction it speaks of has committed. Cheap: what is sent
   * within a few milliseconds travels together, and to listeners of this node it does not travel at all.
   *
   * `key` is an id, never a secret or a person's data: everybody in the database can listen. 512 characters at
   * most. A topic's senders either all name a key or all name none.
   */
  send(topic: string, key?: string): void;
  /** Adds a listener; call what is returned to remove it. */
  on(topic: string, listener: Listener): () => void;
  /** Whether signals of other nodes arrive right now. While they do not, caches had better not be trusted. */
  readonly live: boolean;
  /** Sends what waits, if the database answers soon, and lets go of the connection. */
  close(): Promise<void>;
}

/** Milliseconds. */
export interface SignalTiming {
  /** How long a signal waits for others to travel with. */
  readonly window: number;
  /** How often the way through the database and back is tried. */
  readonly heartbeat: number;
  /** How long an answer may take before the connection counts as dead. */
  readonly patience: number;
  /** How often listeners are told `missed` in any case. */
  readonly poll: number;
  /** Bounds of the pause before the next connection. */
  readonly leastPause: number;
  readonly mostPause: number;
}

export interface SignalOptions {
  readonly target: DatabaseTarget;
  readonly log: Log;
  readonly clock: Clock;
  readonly timing?: Partial<SignalTiming>;
}
