export { parseEgressAllow, type AllowEntry } from './allow.ts';
export type { EgressBody } from './body.ts';
export { createEgress, type EgressOptions } from './egress.ts';
export { egressErrors, maySent } from './errors.ts';
export type { ResponseHeaders } from './exchange.ts';
export type { Refusal, Resolver } from './guard.ts';
export type { EgressLimits, EgressTimeouts } from './limits.ts';
export type { RequestBody, RequestHeaders } from './outgoing.ts';
export { createTargetPolicies, type TargetPolicies, type TargetPolicyOptions } from './policy.ts';
export type { PoolBounds } from './pools.ts';
export type { ProxySettings } from './proxy.ts';
export type { ConnectRequest, Egress, EgressRequest, EgressResponse } from './request.ts';
export {
  rulesFrom,
  type EgressDecision,
  type EgressQuery,
  type EgressRules,
  type EgressScope,
} from './rules.ts';
export type { TlsSettings } from './tls.ts';
