// The model of the engine: what may have become of a call, told by what its clients and the outside world saw alone.
import assert from 'node:assert/strict';

/** What the outside saw of one attempt, and what clients were told. No word of it comes from the engine's tables. */
export interface Seen {
  /** In the order they began. `settled` is what the outside answered, if it did. */
  readonly executions: readonly {
    readonly attempt: number;
    readonly epoch: number;
    readonly settled: string | undefined;
    readonly output: string | undefined;
    /** Its node died, or may have. */
    readonly crashed: boolean;
  }[];
  readonly repeatable: string;
  /** Retries a person asked for. */
  readonly retries: number;
  /** Outputs given as answers, and those that were said to have continued the call. */
  readonly given: readonly string[];
  readonly won: readonly string[];
  /** Whether a failure was given as an answer. */
  readonly refused: boolean;
  readonly cancelAsked: boolean;
  readonly mayExpire: boolean;
  /** States other parts of the hub were told it ended in. */
  readonly told: readonly string[];
}

/** What the database holds in the end. */
export interface Held {
  readonly ends: readonly { readonly state: string; readonly attempts: number }[];
  readonly unfinished: number;
  readonly journal: readonly {
    readonly attempt: number;
    readonly epoch: number;
    readonly outcome: string;
    readonly output: string | null;
  }[];
}

/** Holds a call's end against everything that was seen of it. */
export function judge(id: string, seen: Seen, held: Held): void {
  const story = () => `call ${id}: ${JSON.stringify({ seen, held }, null, 1)}`;
  const must = (holds: boolean, what: string): void => assert.ok(holds, `${what}\n${holds ? '' : story()}`);
  const { executions, repeatable } = seen;
  const counted = held.journal.filter(({ outcome }) => outcome !== 'late');

  // Promise 2: exactly one end.
  must(held.ends.length === 1 && held.unfinished === 0, 'an accepted call ends exactly once');
  const [end] = held.ends;
  must(
    seen.told.length <= 1 && seen.told.every((state) => state === end?.state),
    'one end is told, the one it has',
  );

  // Promise 3: nothing is executed under the same number twice, and nothing after an outcome that counts.
  must(
    new Set(executions.map(({ attempt }) => attempt)).size === executions.length,
    'an attempt is made once',
  );
  must(
    new Set(executions.map(({ epoch }) => epoch)).size === executions.length,
    'an ownership makes one attempt',
  );
  must(
    executions.every(({ attempt }) => attempt <= (end?.attempts ?? 0)),
    'no attempt after the end',
  );
  for (const { outcome, epoch } of counted)
    if (outcome === 'succeeded' || outcome === 'waiting')
      must(
        executions.every((one) => one.epoch <= epoch),
        `nothing is executed after ${outcome}`,
      );

  // Promise 7: what nobody knows is repeated only as declared.
  const failures = counted.filter(({ outcome }) => outcome === 'failed').length;
  if (repeatable === 'never' || repeatable === 'probed')
    must(
      executions.length <= 1 + failures + seen.retries,
      `${repeatable} is repeated after definite failures only`,
    );

  // Engine rule 6: no outcome of a living node is dropped; one that came too late is journalled as late.
  for (const one of executions) {
    if (one.settled === undefined || one.crashed) continue;
    const rows = held.journal.filter(({ attempt, epoch }) => attempt === one.attempt && epoch === one.epoch);
    must(
      rows.some(({ outcome }) => outcome === one.settled || outcome === 'late'),
      'the outcome of a living node is journalled',
    );
  }
  must(
    held.journal.every(
      (row) =>
        row.outcome !== 'late' ||
        executions.some(({ epoch }) => epoch === row.epoch) ||
        (row.output === null ? seen.refused : seen.given.includes(row.output)),
    ),
    'late is what was executed or answered',
  );

  // Nothing is made up: every end has somebody who caused it.
  const outputs = [...executions.map(({ output }) => output), ...seen.given, '"probed"'];
  if (end?.state === 'succeeded') {
    const last = counted.toSorted((a, b) => a.attempt - b.attempt || a.epoch - b.epoch).at(-1);
    must(
      last?.outcome === 'succeeded' && outputs.includes(last.output ?? undefined),
      'a success came from outside',
    );
  }
  if (end?.state === 'cancelled') must(seen.cancelAsked, 'a cancelled call was asked to be');
  if (end?.state === 'expired') must(seen.mayExpire, 'an expired call had a deadline');
  // Promise 4: the first answer wins.
  must(seen.won.length <= 1, 'one answer continues a call');
  for (const output of seen.won)
    must(
      output === 'failed' || counted.some((row) => row.output === output),
      'the answer that won is the one that counts',
    );
}
