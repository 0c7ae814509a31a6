/** How often and how far apart a listener is given an event again that it could not take. Milliseconds. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** Pause before the second attempt; each further pause is `factor` times as long, up to `maxDelay`. */
  readonly delay: number;
  readonly factor: number;
  readonly maxDelay: number;
  /** Share of a pause that is drawn by chance, 0 to 1, so that events that failed together do not return together. */
  readonly jitter: number;
  /** An attempt that takes longer is told to stop, and counts as failed. */
  readonly attemptTimeout: number;
}

export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 8,
  delay: 1_000,
  factor: 2,
  maxDelay: 60_000,
  jitter: 0.2,
  attemptTimeout: 60_000,
};

/** The pause after this attempt; undefined when it was the last. `chance` is a number from 0 to 1. */
export function pauseAfter(policy: RetryPolicy, attempt: number, chance: number): number | undefined {
  if (attempt >= policy.attempts) return undefined;
  return pauseOf(policy, attempt, chance);
}

/** The pause after this attempt for whoever never gives up. */
export function pauseOf(policy: RetryPolicy, attempt: number, chance: number): number {
  const planned = Math.min(policy.delay * policy.factor ** (attempt - 1), policy.maxDelay);
  return Math.round(planned * (1 - policy.jitter * chance));
}
