export {
  isEnd,
  newCallId,
  retentionOf,
  type CallDetails,
  type CallState,
  type EndState,
  type JobMode,
  type NewCall,
  type Retention,
} from './call.ts';
export type { Continuations, Ended, EndedGroup, Following } from './continuation.ts';
export { createEngine, type Answer, type Engine, type EngineOptions } from './engine.ts';
export { engineErrors } from './errors.ts';
export type { Attempt, CallError, Executor, Outcome, Repeatable } from './outcome.ts';
export { POLICY_BOUNDS, type Policy, type PolicyOverride, type RetryClass } from './policy.ts';
