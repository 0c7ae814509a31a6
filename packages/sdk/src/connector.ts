import type { Action } from './action.ts';

/** One external system as the hub knows it. */
export interface Connector {
  /** Lower-case letters, digits and hyphens. */
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly actions: readonly Action[];
}

/** Declares a connector. */
export function defineConnector(connector: Connector): Connector {
  return connector;
}
