import type { Actor, AuditName } from '../audit/index.ts';
import { routeDefiner, type Route } from '../platform/http/index.ts';
import type { Permission } from './permission.ts';
import type { Caller } from './token.ts';

/** What routes of the hub name. */
export interface HubTerms {
  readonly permission: Permission;
  readonly audit: AuditName;
  readonly caller: Caller;
  readonly actor: Actor;
}

export type HubRoute = Route<HubTerms>;

/**
 * Declares a route of the hub. Without a permission of the catalogue (or a reason for none), an audit entry of the
 * vocabulary (or a reason for none), and the schemas its method and path call for, it does not compile.
 */
export const defineRoute = routeDefiner<HubTerms>();
