import type { Clock } from '../clock.ts';
import type { DatabaseTarget } from '../database/index.ts';
import type { Log } from '../log.ts';

/**
 * How operations become one statement. The statement is one transaction by itself, and running it twice must do no
 * more than running it once: a commit can be lost to the caller after it happened (engine rule 2).
 */
export interface BatchStatement<Op, Result> {
  /** Name of the prepared statement. */
  readonly name: string;
  readonly text: string;
  /** The parameters that carry these operations. */
  values(ops: readonly Op[]): unknown[];
  /** The result of each operation, in their order, from the rows the statement answered. */
  results(ops: readonly Op[], rows: readonly Record<string, unknown>[]): Result[];
  /** Operations with the same key never share a batch, and go in the order they came. */
  keyOf(op: Op): string;
  /** About how many bytes the operation takes on the wire. */
  bytesOf(op: Op): number;
}

export interface GroupCommitOptions<Op, Result> {
  readonly target: DatabaseTarget;
  readonly statement: BatchStatement<Op, Result>;
  readonly log: Log;
  readonly clock: Clock;
  /** Connections that write. Each takes everything queued for it whenever it is free. Default: half the cores. */
  readonly writers?: number;
  /** Operations that may wait in all before `tooMany` says so. Default 10,000. */
  readonly queue?: number;
  /** Told of each batch that was committed. */
  readonly observe?: (batch: { operations: number; seconds: number }) => void;
}

/** An operation on its way into the database. */
export interface Submission<Result> {
  readonly written: Promise<Result>;
  /**
   * Takes the operation back, and `written` rejects with `writes_backed_up`; false when it was sent already and may be
   * written.
   */
  withdraw(): boolean;
  /** Whether it was sent more than once, so that an earlier try of it may be what was committed. */
  resent(): boolean;
}
