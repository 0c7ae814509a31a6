import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** IP addresses and what is special about them. Pure. */

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** The address of a plain text form: dotted quad or IPv6, no zone id, no short or octal form. */
export function parseAddress(text: string): Address | undefined {
  const family = isIP(text);
  if (family === 4) return ipaddr.IPv4.parse(text);
  // By way of the URL standard's form in groups only: the library takes `::1.2.3.4` for `::ffff:1.2.3.4`.
  const groups = family === 6 ? URL.parse(`http://[${text}]`)?.hostname.slice(1, -1) : undefined;
  return groups === undefined ? undefined : ipaddr.IPv6.parse(groups);
}

/** Services that hand out credentials of the machine. One of them, Azure's, has a public address. */
const METADATA: ReadonlySet<string> = new Set(
  [
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
  ].map((text) => ipaddr.parse(text).toNormalizedString()),
);

const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata',
  'metadata.goog',
  'metadata.google.internal',
  'metadata.azure.internal',
  'metadata.tencentyun.com',
  'metadata.platformequinix.com',
  'instance-data',
  'instance-data.ec2.internal',
  'rancher-metadata',
]);

/** Whether a host name is a cloud's name for its metadata service. */
export function isMetadataName(host: string): boolean {
  return METADATA_NAMES.has(host);
}

/** Everything the IPv6 registry hands out to the public lies in here; what is outside is refused whatever it is. */
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

const READABLE: Readonly<Record<string, string>> = {
  rfc6052: 'nat64',
  rfc6145: 'ipv4-translated',
  ipv4Mapped: 'ipv4-mapped',
  deprecatedSiteLocal: 'site-local',
};

/** The special range an address lies in, as a short fixed word; undefined for an ordinary public address. */
export function specialRange(address: Address): string | undefined {
  if (METADATA.has(address.toNormalizedString())) return 'metadata';
  const range = address.range();
  if (range !== 'unicast')
    return READABLE[range] ?? range.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return isIPv6(address) && !address.match(GLOBAL_UNICAST) ? 'not-global' : undefined;
}

/** An address and the IPv4 addresses it carries inside: a gateway on the way may turn the one into the other. */
export function facesOf(address: Address): readonly Address[] {
  return isIPv6(address) ? [address, ...embedded(address.parts)] : [address];
}

function isIPv6(address: Address): address is ipaddr.IPv6 {
  return address.kind() === 'ipv6';
}

/** `parts` are the eight 16-bit groups. */
function embedded(parts: readonly number[]): ipaddr.IPv4[] {
  const at = (index: number): number => parts[index] ?? 0;
  if (at(0) === 0x2002) return [ipv4(at(1), at(2))];
  if (at(0) === 0x2001 && at(1) === 0) return [ipv4(at(2), at(3)), ipv4(~at(6) & 0xffff, ~at(7) & 0xffff)];
  const nat64 = at(0) === 0x64 && at(1) === 0xff9b;
  const isatap = (at(4) & ~0x200) === 0 && at(5) === 0x5efe;
  // Mapped, translated, compatible; `::` and `::1` look like the last and carry nothing.
  const low = parts.slice(0, 4).every((part) => part === 0) && at(6) !== 0;
  return low || nat64 || isatap ? [ipv4(at(6), at(7))] : [];
}

function ipv4(high: number, low: number): ipaddr.IPv4 {
  return new ipaddr.IPv4([high >> 8, high & 0xff, low >> 8, low & 0xff]);
}

/** Whether `address` lies in the range of `bits` leading bits of `first`. */
export function lies(address: Address, first: Address, bits: number): boolean {
  return address.kind() === first.kind() && address.match(first, bits);
}
