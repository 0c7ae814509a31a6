import {
  BrokenCircuitError,
  bulkhead,
  BulkheadRejectedError,
  circuitBreaker,
  ConsecutiveBreaker,
  handleWhen,
  wrap,
  type IPolicy,
} from 'cockatiel';
import { HubError } from '../errors.ts';
import { egressErrors, notSent } from './errors.ts';

/** Breaker and concurrency per target, for callers that have no slots of their own. Egress does not use them itself. */
export interface TargetPolicyOptions {
  /** Requests under way at once, and how many more may wait. */
  readonly concurrency: number;
  readonly queue: number;
  /** Outages in a row after which the target rests, and for how long. */
  readonly outages: number;
  readonly restMs: number;
}

export interface TargetPolicies {
  /**
   * Runs `work` against a target.
   *
   * @throws egress_target_busy, egress_target_paused, and what `work` throws
   */
  run<T>(target: string, work: () => Promise<T>): Promise<T>;
}

/** Targets whose state is remembered; beyond it the one that was made first starts anew. */
const MOST_TARGETS = 1_000;

export function createTargetPolicies(options: TargetPolicyOptions): TargetPolicies {
  const policies = new Map<string, IPolicy>();
  return {
    async run(target, work) {
      try {
        return await of(target).execute(work);
      } catch (error) {
        throw understoodPolicy(error, options.restMs);
      }
    },
  };

  function of(target: string): IPolicy {
    let policy = policies.get(target);
    if (policy === undefined) {
      if (policies.size >= MOST_TARGETS) policies.delete(policies.keys().next().value!);
      policy = makePolicy(options);
      policies.set(target, policy);
    }
    return policy;
  }
}

function makePolicy({ concurrency, queue, outages, restMs }: TargetPolicyOptions): IPolicy {
  const breaker = circuitBreaker(handleWhen(isOutage), {
    halfOpenAfter: restMs,
    breaker: new ConsecutiveBreaker(outages),
  });
  return wrap(bulkhead(concurrency, queue), breaker);
}

const OUTAGES: ReadonlySet<string> = new Set([
  'egress_dns_failed',
  'egress_connect_failed',
  'egress_proxy_failed',
  'egress_timeout',
  'egress_reset',
]);

/** Whether an error says that the target is away, and not that this one request is wrong. */
function isOutage(error: unknown): boolean {
  return error instanceof HubError && OUTAGES.has(error.code);
}

function understoodPolicy(cause: unknown, restMs: number): unknown {
  if (cause instanceof BulkheadRejectedError)
    return notSent(egressErrors.egress_target_busy({ retryAfter: 1 }));
  if (cause instanceof BrokenCircuitError)
    return notSent(egressErrors.egress_target_paused({ retryAfter: Math.ceil(restMs / 1000) }));
  return cause;
}
