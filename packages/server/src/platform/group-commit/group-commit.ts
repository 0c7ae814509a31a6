import { availableParallelism } from 'node:os';
import type { GroupCommitOptions, Submission } from './statement.ts';
import { Writer } from './writer.ts';

/** Writes of many callers in shared commits (ADR 3). There is no time window: batches form while writers are busy. */
export interface GroupCommit<Op, Result> {
  /**
   * Queues an operation. `written` resolves once it is committed, however long the database is away; it rejects with
   * the database's own error only when the operation itself is at fault.
   */
  submit(op: Op): Submission<Result>;
  /** Operations that wait or are under way. */
  readonly pending: number;
  /** Whether an operation that can be refused should be. */
  readonly full: boolean;
  /** Writes what is queued, then closes; what the database does not take within `grace` milliseconds is given up. */
  close(grace: number): Promise<void>;
}

/** Opens the writers. They connect when first used. */
export function openGroupCommit<Op, Result>(
  options: GroupCommitOptions<Op, Result>,
): GroupCommit<Op, Result> {
  const { statement } = options;
  const writers = Array.from(
    { length: options.writers ?? writersFor(availableParallelism()) },
    () => new Writer(options),
  );
  const room = options.queue ?? 10_000;
  const pending = (): number => writers.reduce((sum, writer) => sum + writer.pending, 0);
  const writerOf = (op: Op): Writer<Op, Result> => writers[shardOf(statement.keyOf(op), writers.length)]!;

  return {
    submit: (op) => writerOf(op).submit(op),
    get pending() {
      return pending();
    },
    get full() {
      return pending() >= room;
    },
    async close(grace) {
      await Promise.all(writers.map((writer) => writer.close(grace)));
    },
  };
}

/**
 * Half the cores, at most four. More writers only make smaller batches: on two cores one wrote with 0.11 ms of
 * PostgreSQL's time a run, two with 0.13 ms, and four with 0.19 ms.
 */
function writersFor(cores: number): number {
  return Math.min(4, Math.ceil(cores / 2));
}

/** The same key always goes to the same writer, so that its operations keep their order. */
function shardOf(key: string, count: number): number {
  let hash = 0;
  for (let index = 0; index < key.length; index++) hash = (hash * 31 + key.charCodeAt(index)) | 0;
  return (hash >>> 0) % count;
}
