/**
 * The policy of a call: how often, how long, how far apart, and after which errors. One object, the same for an
 * action's defaults, a call's own wishes and what the engine acts by. All times are milliseconds.
 */
export interface Policy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** Pause before the second attempt; each further pause is `factor` times as long, up to `maxDelay`. */
  readonly delay: number;
  readonly factor: number;
  readonly maxDelay: number;
  /** Share of a pause that is drawn by chance, 0 to 1, so that calls that failed together do not return together. */
  readonly jitter: number;
  /** No further attempt starts when this much has passed since the call was accepted. */
  readonly totalTime: number;
  /** An attempt that takes longer is aborted. */
  readonly attemptTimeout: number;
  /** Classes of errors after which another attempt makes sense. */
  readonly retryOn: readonly RetryClass[];
}

/** Why an attempt failed, as far as a retry is concerned. `permanent` is never retried. */
export type RetryClass = 'transient' | 'timeout' | 'rate_limited' | 'unavailable' | 'permanent';

export type PolicyOverride = Partial<Policy>;

export const DEFAULT_POLICY: Policy = {
  attempts: 5,
  delay: 1_000,
  factor: 2,
  maxDelay: 5 * 60_000,
  jitter: 0.2,
  totalTime: 24 * 3_600_000,
  attemptTimeout: 60_000,
  retryOn: ['transient', 'timeout', 'rate_limited', 'unavailable'],
};

/** What any policy may ask for at most, and at least (promise 8). */
export const POLICY_BOUNDS = {
  attempts: [1, 100],
  delay: [10, 24 * 3_600_000],
  factor: [1, 10],
  maxDelay: [10, 7 * 24 * 3_600_000],
  jitter: [0, 1],
  totalTime: [0, 30 * 24 * 3_600_000],
  attemptTimeout: [10, 24 * 3_600_000],
} as const satisfies Record<Exclude<keyof Policy, 'retryOn'>, readonly [number, number]>;

/** The policy of a call: the engine's defaults, over them the action's, over them the call's own. */
export function policyFor(...overrides: readonly (PolicyOverride | undefined)[]): Policy {
  return Object.assign({}, DEFAULT_POLICY, ...overrides) as Policy;
}

/**
 * The pause before the attempt after this one. `chance` is a number from 0 to 1; a `Retry-After` of the target is
 * honoured when it is longer, up to `maxDelay`.
 */
export function pauseAfter(policy: Policy, attempt: number, chance: number, retryAfter = 0): number {
  const planned = Math.min(policy.delay * policy.factor ** (attempt - 1), policy.maxDelay);
  const drawn = planned * (1 - policy.jitter * chance);
  return Math.round(Math.min(Math.max(drawn, retryAfter), Math.max(policy.maxDelay, drawn)));
}
