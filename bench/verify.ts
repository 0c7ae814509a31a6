/** One step the stub served, in the order it served them. */
export interface Served {
  readonly key: number;
  readonly step: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What the load generator was told about each run it asked for. Keys of one kind are in none of the others. */
export interface Account {
  /** Answered 202: from then on the hub's to finish. */
  readonly accepted: readonly number[];
  /** Refused with a status that says nothing was accepted. */
  readonly refused: readonly number[];
  /** No answer, or one that leaves it open: it may run in full, or not at all. */
  readonly unanswered: readonly number[];
}

export interface Rules {
  readonly steps: number;
  /** Whether processes were killed: then a step whose outcome was not recorded is rightly made again. */
  readonly faults: boolean;
}

export interface Verdict {
  readonly accepted: number;
  readonly served: number;
  /** Steps made again before the next one began: attempts that died with their process. */
  readonly again: number;
  /** Those steps, for a look at the journal. */
  readonly repeats: readonly { readonly key: number; readonly step: number; readonly times: number }[];
  /** What is wrong, in words; empty when everything was done once. */
  readonly faults: readonly string[];
}

/** The faults that are spelt out; the others are counted. */
const SHOWN = 10;

/** Holds what was asked for against what was served. The hub's own tables are not asked. */
export function verify(log: readonly Served[], account: Account, { steps, faults: killed }: Rules): Verdict {
  const faults: string[] = [];
  const byRun = Map.groupBy(log, ({ key }) => key);
  const repeats: Verdict['repeats'][number][] = [];

  for (const key of account.accepted) {
    const missing = missingSteps(byRun.get(key) ?? [], steps);
    if (missing.length > 0) faults.push(`lost: run ${key} was accepted, step ${missing[0]} never made`);
  }
  for (const key of account.unanswered) {
    const served = byRun.get(key) ?? [];
    const missing = served.length === 0 ? [] : missingSteps(served, steps);
    if (missing.length > 0) faults.push(`lost: run ${key} had begun, step ${missing[0]} never made`);
  }
  for (const key of account.refused)
    if (byRun.has(key)) faults.push(`stray: run ${key} was refused and made all the same`);

  const asked = new Set([...account.accepted, ...account.unanswered, ...account.refused]);
  for (const [key, served] of byRun) {
    if (!asked.has(key)) faults.push(`stray: run ${key} was never asked for`);
    faults.push(...outOfOrder(key, served));
    for (const { step, times } of timesOf(served)) {
      if (times === 1) continue;
      if (killed) repeats.push({ key, step, times });
      else faults.push(`twice: step ${step} of run ${key} was made ${times} times`);
    }
  }
  const again = repeats.reduce((sum, { times }) => sum + times - 1, 0);
  return { accepted: account.accepted.length, served: log.length, again, repeats, faults: shorten(faults) };
}

function missingSteps(served: readonly Served[], steps: number): number[] {
  const made = new Set(served.map(({ step }) => step));
  return Array.from({ length: steps }, (_, index) => index + 1).filter((step) => !made.has(step));
}

/** A step begins only after the one before it was recorded: an earlier step seen after a later one was made again. */
function outOfOrder(key: number, served: readonly Served[]): string[] {
  let furthest = 0;
  const faults: string[] = [];
  for (const { step } of served) {
    if (step < furthest)
      faults.push(`repeated: step ${step} of run ${key} was made again after step ${furthest}`);
    if (step > furthest + 1) faults.push(`skipped: run ${key} went from step ${furthest} to step ${step}`);
    furthest = Math.max(furthest, step);
  }
  return faults;
}

function timesOf(served: readonly Served[]): { step: number; times: number }[] {
  const counts = new Map<number, number>();
  for (const { step } of served) counts.set(step, (counts.get(step) ?? 0) + 1);
  return [...counts].map(([step, times]) => ({ step, times }));
}

function shorten(faults: readonly string[]): string[] {
  if (faults.length <= SHOWN) return [...faults];
  return [...faults.slice(0, SHOWN), `… and ${faults.length - SHOWN} more`];
}
