import { isIP } from 'node:net';
import type { HubError } from '../errors.ts';
import { egressErrors, notSent } from './errors.ts';

/**
 * Addresses as callers write them, brought to one form. Everything after this works on the canonical form only, so
 * what is checked is what is called.
 */

const LONGEST = 16_384;
// oxlint-disable-next-line no-control-regex -- finding control characters is the point
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Reads an address, relative to `base` when there is one.
 *
 * @throws egress_bad_url
 */
export function readUrl(text: string, base?: URL): URL {
  if (text.length > LONGEST) throw bad('It is too long.');
  if (CONTROL.test(text) || text !== text.trim())
    throw bad('It holds a control character or a space at an end.');
  if (/^[^?#]*\\/.test(text)) throw bad('It holds a backslash.');
  const url = URL.parse(text, base?.href);
  if (url === null) throw bad('It is not an address.');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw bad('Only http and https can be called.');
  if (base === undefined && !/^https?:\/\/[^/]/i.test(text))
    throw bad('Two slashes and a host follow the scheme.');
  if (url.username !== '' || url.password !== '' || /^[a-z]+:\/\/[^/?#]*@/i.test(text))
    throw bad('It holds a user or a password.');
  if (url.port === '0') throw bad('Port 0 cannot be called.');
  checkHost(url, text, base);
  return url;
}

function checkHost(url: URL, text: string, base: URL | undefined): void {
  if (url.hostname.endsWith('.')) url.hostname = url.hostname.slice(0, -1);
  const host = url.hostname;
  if (host === '' || host.startsWith('.') || host.endsWith('.') || host.includes('..'))
    throw bad('The host name has an empty part.');
  // A number that only turns into an address when read (octal, hexadecimal, short, fullwidth, percent-encoded) hides one.
  if (isIP(host) === 4 && hasOwnHost(text, base) && !text.includes(host))
    throw bad('An IPv4 address is written as four decimal numbers.');
}

function hasOwnHost(text: string, base: URL | undefined): boolean {
  return base === undefined || /^(?:[a-z][a-z\d+.-]*:|\/\/)/i.test(text);
}

/** The host of an address as sockets know it: IPv6 without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
}

/** The port of an address, also when it is the usual one. */
export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/**
 * A host name or address given by itself, brought to the same form as the host of an address.
 *
 * @throws egress_bad_url
 */
export function readHost(text: string): string {
  if (/[\s/\\@?#%[\]]/.test(text) || (text.includes(':') && isIP(text) !== 6))
    throw bad('A host is a name or an IP address, nothing more.');
  return hostOf(readUrl(`http://${text.includes(':') ? `[${text}]` : text}/`));
}

function bad(detail: string): HubError {
  return notSent(egressErrors.egress_bad_url({ detail }));
}
