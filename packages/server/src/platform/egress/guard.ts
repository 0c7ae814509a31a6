import { lookup } from 'node:dns/promises';
import type { HubError } from '../errors.ts';
import type { Log } from '../log.ts';
import { parseAddress } from './address.ts';
import { egressErrors, notSent } from './errors.ts';
import type { EgressDecision, EgressRules, EgressScope } from './rules.ts';

/** Finds the addresses of a host name. Rejects, or answers with none, when there are none. */
export type Resolver = (host: string) => Promise<readonly string[]>;

/** Where a connection is to lead, in canonical form. */
export interface Destination {
  readonly host: string;
  readonly port: number;
  readonly kind: 'http' | 'socket';
  readonly scope: EgressScope;
}

/** A refusal, for metrics, audit and explanation. `address` is the one that was refused. */
export interface Refusal extends Destination {
  readonly address: string;
  readonly reason: string;
}

export interface GuardOptions {
  readonly rules: EgressRules;
  readonly resolver: Resolver;
  readonly log: Log;
  readonly onRefused: (refusal: Refusal) => void;
}

/** The system's resolver: it knows the hosts file and search domains, which internal names live on. */
export const systemResolver: Resolver = async (host) =>
  (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);

/**
 * Resolves a destination once and answers with the addresses a socket may be opened to. The caller connects to these
 * and never resolves again: a second answer could differ from the one that was checked.
 *
 * @throws egress_refused, egress_dns_failed
 */
export async function checkedAddresses(guard: GuardOptions, to: Destination): Promise<readonly string[]> {
  const addresses = parseAddress(to.host) ? [to.host] : await resolved(guard.resolver, to.host);
  const answers = addresses.map((address) => ({ address, decision: guard.rules.decide({ ...to, address }) }));
  const refused = answers.find(({ decision }) => !decision.allowed);
  const allowed = answers.filter(({ decision }) => decision.allowed);
  // A public name that also answers with a forbidden address is not trusted at all; one that leads to allowed private
  // addresses (localhost with only 127.0.0.1 allowed) is used as far as it is allowed.
  if (refused && !(allowed.length > 0 && allowed.every(({ decision }) => isByRule(decision))))
    throw refusal(guard, to, refused.address, refused.decision);
  return allowed.map(({ address }) => address);
}

function isByRule(decision: EgressDecision): boolean {
  return decision.allowed && decision.by === 'rule';
}

async function resolved(resolver: Resolver, host: string): Promise<readonly string[]> {
  const failed = (cause?: unknown): HubError =>
    notSent(egressErrors.egress_dns_failed({ detail: `No address was found for ${host}.`, cause }));
  const addresses = await resolver(host).catch((cause: unknown) => {
    throw failed(cause);
  });
  if (addresses.length === 0) throw failed();
  return addresses;
}

function refusal(guard: GuardOptions, to: Destination, address: string, decision: EgressDecision): HubError {
  const reason = decision.allowed ? '' : decision.reason;
  const { tenant, connector } = to.scope;
  guard.log.warn('an outgoing connection was refused', {
    host: to.host,
    address,
    reason,
    ...(tenant === undefined ? {} : { tenant }),
    ...(connector === undefined ? {} : { connector }),
  });
  guard.onRefused({ ...to, address, reason });
  return notSent(egressErrors.egress_refused({ detail: explain(to, reason) }));
}

/** Does not name the address: what internal names resolve to is not for every caller. The log has it. */
function explain({ host, port }: Destination, reason: string): string {
  const pair = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const start = `${pair} is refused (rule ${reason}).`;
  if (reason === 'metadata')
    return `${start} A metadata service is reached only if LINKSPAN_EGRESS_ALLOW names its exact address and any name used for it.`;
  if (reason === 'not-an-address')
    return `${start} The name service answered with something that is no address.`;
  return `${start} An administrator can allow it with the entry ${pair} in LINKSPAN_EGRESS_ALLOW.`;
}
