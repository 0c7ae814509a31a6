import { facesOf, isMetadataName, parseAddress, specialRange, type Address } from './address.ts';
import { covers, type AllowEntry } from './allow.ts';
import { isBlockedPort } from './ports.ts';

/** For whom something goes out. Rules may differ by it; egress itself only hands it on. */
export interface EgressScope {
  readonly tenant?: string;
  readonly connector?: string;
}

/** One question: may `address`, found under `host`, be connected to? All in canonical form. */
export interface EgressQuery {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly kind: 'http' | 'socket';
  readonly scope: EgressScope;
}

export type EgressDecision =
  /** `public`: nobody had to allow it. `rule`: it is special and was allowed. */
  | { readonly allowed: true; readonly by: 'public' | 'rule' }
  /** `reason` is a short fixed word: the range, `blocked-port`, `not-an-address`. */
  | { readonly allowed: false; readonly reason: string };

/** Decides who may connect where. */
export interface EgressRules {
  decide(query: EgressQuery): EgressDecision;
  /**
   * Names the set of rules that count for a scope. Connections are shared only within one realm, so two scopes may
   * share a realm only if `decide` answers both alike, and a changed rule needs a new realm.
   */
  realm(scope: EgressScope): string;
}

/** Rules that are the same for everyone: public addresses, and what the list allows. */
export function rulesFrom(entries: readonly AllowEntry[]): EgressRules {
  return { decide: (query) => decide(entries, query), realm: () => '' };
}

function decide(entries: readonly AllowEntry[], query: EgressQuery): EgressDecision {
  const address = parseAddress(query.address);
  if (!address) return { allowed: false, reason: 'not-an-address' };
  const inForce = entries.filter((entry) => entry.port === undefined || entry.port === query.port);
  if (query.kind === 'http' && isBlockedPort(query.port) && !namesPort(inForce, query.host, address))
    return { allowed: false, reason: 'blocked-port' };
  if (
    isMetadataName(query.host) &&
    !inForce.some((entry) => entry.kind === 'name' && entry.name === query.host)
  )
    return { allowed: false, reason: 'metadata' };
  return decideFaces(inForce, query.host, facesOf(address));
}

/** Every face has to pass: a range that is allowed must not open a way to what it embeds. */
function decideFaces(
  entries: readonly AllowEntry[],
  host: string,
  faces: readonly Address[],
): EgressDecision {
  let by: 'public' | 'rule' = 'public';
  for (const face of faces) {
    const range = specialRange(face);
    if (range === undefined) continue;
    by = 'rule';
    if (!entries.some((entry) => covers(entry, host, face) && (range !== 'metadata' || isSingle(entry))))
      return { allowed: false, reason: range };
  }
  return { allowed: true, by };
}

/** A wide range, or a name whose owner may point it anywhere, never opens a metadata service. */
function isSingle(entry: AllowEntry): boolean {
  return entry.kind === 'range' && entry.single;
}

function namesPort(entries: readonly AllowEntry[], host: string, address: Address): boolean {
  return entries.some((entry) => entry.port !== undefined && covers(entry, host, address));
}
