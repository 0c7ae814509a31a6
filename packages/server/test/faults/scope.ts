/** A test, a file (`{ after }` of node:test), or whatever else calls what it was given when it ends. */
export interface Scope {
  after(work: () => unknown): void;
}

/** The same scope, in which what was made last goes first: a node before its way to the database. */
export function inReverse(scope: Scope): Scope {
  const works: (() => unknown)[] = [];
  scope.after(async () => {
    const faults: unknown[] = [];
    for (const work of works.toReversed()) {
      try {
        await work();
      } catch (fault) {
        faults.push(fault);
      }
    }
    if (faults.length > 0) throw new AggregateError(faults, 'Not all could be cleaned up.');
  });
  return { after: (work) => void works.push(work) };
}
