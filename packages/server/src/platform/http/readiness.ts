import type { Clock } from '../clock.ts';
import { HubError } from '../errors.ts';

/** Named conditions under which this node can serve; each rejects while it does not hold. */
export type ReadinessChecks = Readonly<Record<string, () => Promise<void>>>;

/** What a check found: `ok`, or the code of what is wrong. */
export type Findings = Readonly<Record<string, string>>;

/** Milliseconds an answer is used again, so that nobody can hammer the database through it. */
const FRESH_MS = 1_000;

const TIME_OUT_MS = 3_000;

/** Runs the checks, at most once a second however often it is asked, and never twice at a time. */
export function readinessOf(checks: ReadinessChecks, clock: Clock): () => Promise<Findings> {
  const runs = Object.entries(checks).map(([name, check]) => [name, neverTwice(check)] as const);
  let found: Promise<Findings> | undefined;
  let until = 0;
  return () => {
    if (found && clock.now() < until) return found;
    until = clock.now() + FRESH_MS;
    found = Promise.all(runs.map(async ([name, run]) => [name, await inTime(run(), clock)] as const)).then(
      (entries) => Object.fromEntries(entries),
    );
    return found;
  };
}

/** A check that hangs is not begun again until it ended. */
function neverTwice(check: () => Promise<void>): () => Promise<string> {
  let running: Promise<string> | undefined;
  return () =>
    (running ??= check()
      .then(
        () => 'ok',
        (error: unknown) => (error instanceof HubError ? error.code : 'internal'),
      )
      .finally(() => (running = undefined)));
}

async function inTime(finding: Promise<string>, clock: Clock): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const stop = clock.after(TIME_OUT_MS, () => resolve('timeout'));
  return Promise.race([finding, promise]).finally(stop);
}
