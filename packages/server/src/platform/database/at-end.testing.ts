// For tests: cleaning up in the order that works.
import type { TestContext } from 'node:test';

type Work = () => unknown;

const stacks = new WeakMap<TestContext, Work[]>();

/** Does `work` when the test ends: the last registered first, so that a server stops before its files go. */
export function atEnd(t: TestContext, work: Work): void {
  const stack = stacks.get(t) ?? begin(t);
  stack.push(work);
}

function begin(t: TestContext): Work[] {
  const stack: Work[] = [];
  stacks.set(t, stack);
  t.after(async () => {
    for (let next = stack.pop(); next; next = stack.pop()) await next();
  });
  return stack;
}
