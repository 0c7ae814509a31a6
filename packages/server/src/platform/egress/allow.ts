import ipaddr from 'ipaddr.js';
import { lies, parseAddress, type Address } from './address.ts';
import { readHost } from './url.ts';

/** One entry of an allow list: what may be reached although it is private. Without a port it counts for every port. */
export type AllowEntry =
  | { readonly kind: 'name'; readonly name: string; readonly port: number | undefined }
  | {
      readonly kind: 'range';
      readonly first: Address;
      readonly bits: number;
      /** True for a single address, which alone can allow a metadata service. */
      readonly single: boolean;
      readonly port: number | undefined;
    };

/**
 * Reads a comma-separated list of hosts (`db.internal`, `10.1.2.3`, `::1`), host:port pairs (`db.internal:5432`,
 * `[::1]:8080`) and ranges (`10.0.0.0/8`).
 *
 * @throws Error that names every wrong entry with its fault
 */
export function parseEgressAllow(text: string): readonly AllowEntry[] {
  const entries: AllowEntry[] = [];
  const faults: string[] = [];
  for (const [index, part] of text.split(',').entries()) {
    const entry = part.trim();
    if (entry === '') continue;
    try {
      entries.push(readEntry(entry));
    } catch (fault) {
      faults.push(`entry ${index + 1}${quoted(entry)}: ${(fault as Error).message}`);
    }
  }
  if (faults.length > 0) throw new Error(`must be hosts, host:port pairs or ranges: ${faults.join(' ')}`);
  return entries;
}

/** An entry with an `@` may hold a password. */
function quoted(entry: string): string {
  return entry.includes('@') ? '' : ` (${JSON.stringify(entry.slice(0, 80))})`;
}

function readEntry(text: string): AllowEntry {
  if (text.includes('://')) throw new Error('give the host without a scheme.');
  if (text.includes('*')) throw new Error('wildcards are not supported; give a range of addresses instead.');
  if (text.includes('/')) return readRange(text);
  const { host, port } = split(text);
  const address = parseAddress(host);
  if (address) return { kind: 'range', first: address, bits: widthOf(address), single: true, port };
  return { kind: 'name', name: readName(host), port };
}

function readRange(text: string): AllowEntry {
  const parts = /^(.+)\/(\d{1,3})$/.exec(text);
  const address = parseAddress(parts?.[1] ?? '');
  const bits = Number(parts?.[2]);
  if (!address || bits > widthOf(address))
    throw new Error('a range is an address, a slash and a number of bits.');
  const first = networkOf(address, bits);
  if (first.toString() !== address.toString())
    throw new Error(`the address has bits outside the range; did you mean ${first.toString()}/${bits}?`);
  return { kind: 'range', first, bits, single: bits === widthOf(address), port: undefined };
}

function widthOf(address: Address): number {
  return address.kind() === 'ipv4' ? 32 : 128;
}

function networkOf(address: Address, bits: number): Address {
  const cidr = `${address.toString()}/${bits}`;
  return address.kind() === 'ipv4'
    ? ipaddr.IPv4.networkAddressFromCIDR(cidr)
    : ipaddr.IPv6.networkAddressFromCIDR(cidr);
}

/** Splits off a port. A bare IPv6 address has colons but no port. */
function split(text: string): { host: string; port: number | undefined } {
  if (parseAddress(text)) return { host: text, port: undefined };
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(.*))?$/.exec(text);
  if (!parts) throw new Error('not a host; an IPv6 address with a port is written [address]:port.');
  return { host: parts[1] ?? parts[2] ?? '', port: parts[3] === undefined ? undefined : readPort(parts[3]) };
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new Error('a port is a number from 1 to 65535.');
  return port;
}

function readName(text: string): string {
  if (!/^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?\.?$/i.test(text))
    throw new Error('not a host name or an address.');
  try {
    const name = readHost(text);
    if (!parseAddress(name)) return name;
  } catch {
    // Said below: what does not read as a name is a number that hides an address.
  }
  throw new Error('write an address as four decimal numbers.');
}

/** Whether an entry covers this address, as such or by the name it was found under. */
export function covers(entry: AllowEntry, host: string, face: Address): boolean {
  return entry.kind === 'name' ? entry.name === host : lies(face, entry.first, entry.bits);
}
