import type { BatchStatement } from '../../platform/group-commit/index.ts';
import {
  detailsOf,
  retentionOf,
  type CallState,
  type EndState,
  type NewCall,
  type OwnedCall,
} from './call.ts';

/** A transition of one call, written only if its epoch still holds. */
export interface Move {
  readonly call: OwnedCall;
  readonly to: CallState;
  /** Milliseconds from the commit until a retry is due or a wait ends; a retry without one is ready at once. */
  readonly delay?: number;
  readonly reason?: string;
  /** The attempt that ended with this move, for the journal. */
  readonly attempt?: JournalEntry;
}

/** An ended attempt. Times are milliseconds since the epoch, by the clock of the node that made it. */
export interface JournalEntry {
  readonly outcome: 'succeeded' | 'failed' | 'unknown' | 'waiting' | 'late';
  readonly started: number;
  readonly ended: number;
  /** JSON text. */
  readonly output?: string;
  readonly error?: string;
}

/** A call to be made. */
export interface Accept {
  readonly id: string;
  readonly call: NewCall;
  readonly lane: number;
  /** This node starts it as soon as it is committed (engine rule 4). */
  readonly owned: boolean;
}

/** What one caller writes: at most one move, and the calls that are made if it holds. */
export interface Operation {
  /** Keeps the order of what belongs together: the run, or the call itself. */
  readonly key: string;
  readonly move?: Move;
  /** The continuation of this group is carried out by the accepts. */
  readonly group?: string;
  readonly accepts: readonly Accept[];
}

export type Accepted =
  | { readonly kind: 'accepted'; readonly state: 'running' | 'queued' }
  /** It had been accepted before: its first commit was lost to the caller. */
  | { readonly kind: 'exists' }
  /** Another call has its idempotency key (`same` tells whether the body was the same too) or its job key. */
  | { readonly kind: 'joined'; readonly other: string; readonly same: boolean }
  /** What it was to follow did not move. */
  | { readonly kind: 'orphan' };

export interface Written {
  /** The state the moved call has now; undefined when the epoch no longer held. */
  readonly moved: CallState | undefined;
  /** One for each accept, in their order. */
  readonly accepted: readonly Accepted[];
  /** The call's group, if this took its last call away. */
  readonly emptied: string | undefined;
}

interface Row {
  readonly kind: 'moved' | 'accepted' | 'exists' | 'joined' | 'replaced' | 'emptied';
  readonly id: string;
  readonly state: string | null;
  readonly ref: string | null;
}

/** The parameters of `commit_calls`, in its order. */
const PARAMETERS = 40;

/** `commit_calls` of migration 3 as a batch statement of this node. `node` is asked for at each batch. */
export function callsStatement(node: () => number): BatchStatement<Operation, Written> {
  return {
    name: 'commit_calls',
    text: `select * from commit_calls(${Array.from({ length: PARAMETERS }, (_, index) => `$${index + 1}`).join(', ')})`,
    keyOf: (op) => op.key,
    bytesOf,
    values: (ops) => [node(), ...moveColumns(ops), groupColumn(ops), ...acceptColumns(ops)],
    results: (ops, rows) => attribute(ops, rows as unknown as readonly Row[]),
  };
}

function bytesOf(op: Operation): number {
  const journalled = (op.move?.attempt?.output?.length ?? 0) + (op.move?.attempt?.error?.length ?? 0);
  return op.accepts.reduce((sum, { call }) => sum + call.input.length + 400, journalled + 300);
}

function moveColumns(ops: readonly Operation[]): unknown[][] {
  const moves = ops.flatMap((op) => (op.move ? [op.move] : []));
  const attempt = <T>(read: (entry: JournalEntry) => T): (T | null)[] =>
    moves.map((move) => (move.attempt ? read(move.attempt) : null));
  return [
    moves.map(({ call }) => call.id),
    moves.map(({ call }) => retentionOf(call.id)),
    moves.map(({ call }) => call.epoch),
    moves.map(({ to }) => to),
    moves.map(({ delay }) => delay ?? null),
    moves.map(({ reason }) => reason ?? null),
    moves.map(({ call }) => call.action),
    moves.map(({ call }) => call.principal ?? null),
    moves.map(({ call }) => call.run ?? null),
    attempt((entry) => entry.outcome),
    attempt((entry) => entry.started),
    attempt((entry) => entry.ended),
    attempt((entry) => entry.output ?? null),
    attempt((entry) => entry.error ?? null),
  ];
}

function groupColumn(ops: readonly Operation[]): string[] {
  return ops.flatMap((op) => op.group ?? []);
}

function acceptColumns(ops: readonly Operation[]): unknown[][] {
  const accepts = ops.flatMap((op) =>
    op.accepts.map((accept) => ({ ...accept, parent: op.move?.call.id ?? op.group ?? null })),
  );
  const column = <T>(read: (call: NewCall) => T | undefined): (T | null)[] =>
    accepts.map(({ call }) => read(call) ?? null);
  return [
    accepts.map(({ id }) => id),
    accepts.map(({ id }) => retentionOf(id)),
    accepts.map(({ parent }) => parent),
    accepts.map(({ owned }) => owned),
    column((call) => call.tenant),
    column((call) => call.principal),
    column((call) => call.action),
    column((call) => call.target),
    accepts.map(({ lane }) => lane),
    column((call) => call.input),
    column((call) => {
      const details = JSON.stringify(detailsOf(call));
      return details === '{}' ? undefined : details;
    }),
    column((call) => call.place?.run),
    column((call) => call.group?.id),
    column((call) => call.group?.details),
    column((call) => call.delay),
    column((call) => call.deadline),
    column((call) => call.job?.key),
    column((call) => call.job?.mode),
    column((call) => call.once?.key),
    column((call) => call.once?.body),
    column((call) => call.once?.life),
    column((call) => call.asked?.request),
    column((call) => call.asked?.token),
    column((call) => call.asked?.address),
  ];
}

/** Hands each row to the operation it tells of. */
function attribute(ops: readonly Operation[], rows: readonly Row[]): Written[] {
  const moved = new Map<string, string>();
  const accepted = new Map<string, Accepted>();
  const emptied = new Set<string>();
  for (const row of rows) {
    if (row.kind === 'moved') moved.set(row.id, row.state ?? '');
    else if (row.kind === 'emptied') emptied.add(row.id);
    else if (row.kind !== 'replaced') accepted.set(row.id, acceptedOf(row));
  }
  return ops.map((op) => {
    const group = op.move?.call.group;
    const { move } = op;
    return {
      moved: moved.get(move?.call.id ?? op.group ?? '') as CallState | EndState | undefined,
      accepted: op.accepts.map(({ id }) => accepted.get(id) ?? { kind: 'orphan' }),
      emptied: group !== undefined && emptied.delete(group) ? group : undefined,
    };
  });
}

function acceptedOf(row: Row): Accepted {
  if (row.kind === 'joined') return { kind: 'joined', other: row.ref ?? '', same: row.state === 'same' };
  if (row.kind === 'exists') return { kind: 'exists' };
  return { kind: 'accepted', state: row.state === 'running' ? 'running' : 'queued' };
}
