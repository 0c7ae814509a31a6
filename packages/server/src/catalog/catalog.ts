import type { Connector } from '@linkspan/sdk';
import type { Log } from '../platform/log.ts';
import type { CatalogAction, CatalogConnector } from './action.ts';
import { catalogErrors } from './errors.ts';
import { faultsOf, loadConnector } from './origins/code/load.ts';

/** What actions there are. Fixed once the hub has started. */
export interface Catalog {
  /** By id. */
  readonly connectors: readonly CatalogConnector[];
  /** By id. */
  readonly actions: readonly CatalogAction[];
  /** @throws connector_not_found */
  connector(id: string): CatalogConnector;
  /** @throws action_not_found */
  action(id: string): CatalogAction;
  /** The same, or undefined. */
  find(id: string): CatalogAction | undefined;
}

/** Connectors of others: a broken one is named in the log and left out. */
export interface ForeignConnectors {
  /** `from` says where it comes from: a directory or a package. */
  readonly connectors: readonly { readonly from: string; readonly connector: unknown }[];
  readonly log: Log;
}

/**
 * Checks every definition and makes the catalog. `own` are the connectors that come with the hub.
 *
 * @throws Error that names every fault of the hub's own connectors
 */
export function createCatalog(own: readonly Connector[], foreign?: ForeignConnectors): Catalog {
  const loaded = new Map<string, CatalogConnector>();
  const broken = own.flatMap((connector) =>
    load(loaded, connector).map((fault) => `${connector?.id}: ${fault}`),
  );
  if (broken.length > 0) throw new Error(`connectors are broken:\n${broken.join('\n')}`);
  for (const { from, connector } of foreign?.connectors ?? [])
    for (const fault of load(loaded, connector))
      foreign?.log.error('a connector is left out', { path: from, line: fault });
  return catalogOf([...loaded.values()]);
}

/** Takes a connector in, or tells why not. */
function load(loaded: Map<string, CatalogConnector>, connector: unknown): string[] {
  const faults = faultsOf(connector);
  if (faults.length > 0) return faults;
  const sound = connector as Connector;
  if (loaded.has(sound.id)) return ['id: there is another connector of this id'];
  loaded.set(sound.id, loadConnector(sound));
  return [];
}

function catalogOf(unsorted: readonly CatalogConnector[]): Catalog {
  const connectors = unsorted.toSorted(byId);
  const actions = connectors.flatMap((connector) => connector.actions).toSorted(byId);
  const found = new Map(actions.map((action) => [action.id, action]));
  return {
    connectors,
    actions,
    connector(id) {
      const connector = connectors.find((each) => each.id === id);
      if (!connector) throw catalogErrors.connector_not_found();
      return connector;
    },
    action(id) {
      const action = found.get(id);
      if (!action) throw catalogErrors.action_not_found();
      return action;
    },
    find: (id) => found.get(id),
  };
}

/** By code units, so that pages compare as they are sorted. */
function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : Number(a.id > b.id);
}
