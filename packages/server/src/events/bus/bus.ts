import type { CloudEvent, LoggedEvent, Position } from '../event.ts';

/** A stream of events. Its number of partitions never changes once it is declared. */
export interface Topic {
  readonly name: string;
  readonly partitions: number;
}

/** Where a consumer that never read begins. */
export type Beginning = 'start' | 'end';

/** Where to put a consumer. `time`: before the first event written at or after it. */
export type SeekTarget =
  | { readonly to: Beginning }
  | { readonly to: 'position'; readonly position: Position }
  | { readonly to: 'time'; readonly time: Date };

/** Events of one partition, in order; `through` is what is read with them, events or none. */
export interface Batch {
  readonly partition: number;
  readonly events: readonly LoggedEvent[];
  readonly through: Position;
}

export interface Fetched {
  readonly batches: readonly Batch[];
  /** Whether there is more at once. */
  readonly more: boolean;
  /** Whether there is more soon: written, but behind a transaction that is still open. */
  readonly held: boolean;
}

/**
 * A member of a consumer group. It owns some of the partitions, under leases it renews by itself; another member takes
 * over what it does not renew.
 */
export interface Member {
  /** Partitions it owns now. */
  readonly partitions: readonly number[];
  /**
   * What comes next in the owned partitions, those named left out: at most `limit` events in all. A member is given an
   * event once; what it has not committed when it loses a partition is given to the next owner again.
   */
  fetch(limit: number, without?: ReadonlySet<number>): Promise<Fetched>;
  /** Waits until there may be something that the last fetch did not see, at most `ms` milliseconds. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Whether this member may still act on what it fetched of the partition. */
  owns(partition: number): boolean;
  /**
   * Stores how far partitions were read. Gives those that were: a partition that changed hands meanwhile is not
   * among them, and what was read of it is read again by whoever owns it.
   */
  commit(read: ReadonlyMap<number, Position>): Promise<ReadonlySet<number>>;
  /** Forgets what was fetched of a partition and not committed: it is fetched again. */
  rewind(partition: number): void;
  /** Says why a partition does not go on, for people who look; undefined when it does. */
  block(partition: number, code: string | undefined): Promise<void>;
  /** Gives all partitions back. */
  leave(): Promise<void>;
}

/** Where one partition of a consumer stands. */
export interface PartitionState {
  readonly partition: number;
  readonly position: Position;
  /** Events that are written and not read, counted up to a bound. */
  readonly lag: number;
  readonly owned: boolean;
  readonly blocked: { readonly since: Date; readonly code: string } | undefined;
}

/** The bound of a counted lag. */
export const MOST_LAG = 100_000;

/**
 * The bus: topics of events, split into partitions by their keys, read by groups of consumers that do not know of one
 * another. Delivery is at least once; order holds within a key. What leaves a topic by its age is gone for everybody.
 */
export interface Bus {
  /** Makes a topic known. Gives it as it is: a topic that exists keeps its number of partitions. */
  declare(topic: Topic): Promise<Topic>;
  /** Adds events to a topic, in a transaction of their own. */
  append(topic: string, events: readonly CloudEvent[]): Promise<void>;
  /** Joins a consumer group of a declared topic; a group that does not exist begins where `from` says. */
  join(topic: string, consumer: string, from: Beginning): Promise<Member>;
  /** Every consumer group of a topic. */
  consumers(topic: string): Promise<readonly string[]>;
  /** Where a group stands; no partition when there is no such group. */
  state(topic: string, consumer: string): Promise<readonly PartitionState[]>;
  /** Moves a group. Members fetch from there; what they have not committed yet counts no more. */
  seek(topic: string, consumer: string, target: SeekTarget): Promise<void>;
  /** Leaves all groups and ends. */
  close(): Promise<void>;
}
