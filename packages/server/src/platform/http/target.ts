import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { httpErrors } from './errors.ts';

/** Characters of path and query together. */
const LONGEST_TARGET = 8_192;

/** Whatever may make this hub and a proxy before it read one path in two ways. */
const SUSPICIOUS = /^[^/]|[^\x21-\x7e]|[%;\\"<>^`{|}#]|\/\/|\/\.{1,2}(?:\/|$)|.\/$/;

/** Encoded characters that have an unencoded spelling, split a path, or encode twice: `/ \ % . ; NUL` and letters. */
const NEVER_ENCODED =
  /%(?![0-9A-Fa-f]{2})|%(?:[01][0-9A-Fa-f]|25|2[DdEeFf]|3[0-9Bb]|4[1-9A-Fa-f]|5[0-9AaCcFf]|6[1-9A-Fa-f]|7[0-9AaEeFf])/;

/** The path of a request target, without its query. */
export function pathOf(target: string): string {
  const end = target.indexOf('?');
  return end < 0 ? target : target.slice(0, end);
}

/** The query of a request target, without the question mark; empty when there is none. */
export function queryOf(target: string): string {
  const start = target.indexOf('?');
  return start < 0 ? '' : target.slice(start + 1);
}

/**
 * Lets only canonical targets through: origin form, and one spelling for every path. Dot segments, doubled
 * slashes, `;` parameters and needless encoding were how authentication was passed by elsewhere.
 *
 * @throws HubError `not_found`, `uri_too_long`
 */
export function refuseTrickyTarget(target: string): void {
  if (target.length > LONGEST_TARGET)
    throw httpErrors.uri_too_long({ detail: `At most ${LONGEST_TARGET} characters.` });
  const path = pathOf(target);
  if (SUSPICIOUS.test(path) && !isEncodedText(path)) throw httpErrors.not_found();
}

/** Encoded text within a segment (a space, an umlaut) is the only suspicious thing that is fine. */
function isEncodedText(path: string): boolean {
  return !SUSPICIOUS.test(path.replaceAll('%', '')) && !NEVER_ENCODED.test(path);
}

export type HostCheck = (request: IncomingMessage) => void;

/** Verdicts remembered; a client may send any name, so not more than these. */
const REMEMBERED = 200;

/**
 * Answers only under names of our own, so that a web page whose name was rebound to this address gets nothing:
 * localhost, IP addresses, the public address and the configured names. A client of HTTP/1.0 may send none.
 */
export function hostCheck(allowed: readonly string[]): HostCheck {
  const names = new Set(['localhost', ...allowed.map((name) => name.toLowerCase())]);
  const verdicts = new Map<string, boolean>();
  const verdict = (header: string): boolean => {
    const name = hostName(header);
    const fine = name !== undefined && (names.has(name) || isIP(name) !== 0);
    if (verdicts.size < REMEMBERED) verdicts.set(header, fine);
    return fine;
  };
  return ({ headers, httpVersion }) => {
    const header = headers.host;
    if (header === undefined) {
      if (httpVersion === '1.0') return;
      throw httpErrors.malformed_request({ detail: 'The header Host is missing.' });
    }
    if (!(verdicts.get(header) ?? verdict(header))) throw httpErrors.host_not_allowed();
  };
}

/** The name in a Host header, lower case, without port and brackets. */
function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,255}))(?::\d{1,5})?$/.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

const FORWARDING = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
];

const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;

/**
 * Whether a request comes straight from this machine. A proxy on this machine also connects from the loopback
 * interface, so any trace of one counts as another machine; and so does a name that is not the machine's own.
 */
export function isDirectFromLoopback({ socket, headers }: IncomingMessage): boolean {
  const name = headers.host === undefined ? 'localhost' : hostName(headers.host);
  return (
    LOOPBACK.test(socket.remoteAddress ?? '') &&
    name !== undefined &&
    (name === 'localhost' || LOOPBACK.test(name)) &&
    FORWARDING.every((header) => headers[header] === undefined)
  );
}

/** The peer's address, IPv4 as such. */
export function addressOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}
