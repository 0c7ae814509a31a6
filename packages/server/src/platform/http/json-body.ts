import { isUtf8 } from 'node:buffer';
import type { Fault } from '../errors.ts';
import { httpErrors } from './errors.ts';
import { explainJson } from './json-faults.ts';

/** Objects and arrays within one another at most. */
const MOST_DEPTH = 32;

/**
 * Reads a JSON body strictly: UTF-8 without byte order mark, no name twice in one object, no `__proto__`, at most
 * 32 levels. Nothing a lenient parser would drop or guess gets through.
 *
 * @throws HubError `invalid_request` that names the place of the fault.
 */
export function readJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw refused('body', 'is missing; this route needs a JSON body');
  if (!isUtf8(bytes)) throw refused('encoding', 'is not valid UTF-8');
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
    throw refused('encoding', 'begins with a byte order mark');
  const members = countMembers(bytes);
  if (members < 0) throw refused('depth', `is nested deeper than ${MOST_DEPTH} levels`);
  const text = bytes.toString('utf8');
  const value = parse(text);
  // Names that occur twice collapse while parsing, so fewer are left than were written.
  if (keysOf(value) !== members) throw httpErrors.invalid_request({ faults: explainJson(text) });
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw httpErrors.invalid_request({ faults: explainJson(text) });
  }
}

function refused(rule: string, message: string): Error {
  const fault: Fault = { path: '', rule, message: `the body ${message}` };
  return httpErrors.invalid_request({ faults: [fault] });
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Counts the colons outside of strings, one for each member of an object; -1 when the text nests too deep. */
function countMembers(bytes: Buffer): number {
  let members = 0;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at + 1);
    else if (byte === 0x3a) members++;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MOST_DEPTH) return -1;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return members;
}

function endOfString(bytes: Buffer, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte !== QUOTE && byte !== undefined; byte = bytes[at])
    at += byte === BACKSLASH ? 2 : 1;
  return at;
}

/** Names in the whole tree. One called `__proto__` is not counted, so that it is refused like a double one. */
function keysOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let keys = 0;
  if (Array.isArray(value)) {
    for (const item of value) keys += keysOf(item);
    return keys;
  }
  const object = value as Record<string, unknown>;
  for (const name in object) {
    if (name !== '__proto__') keys += 1 + keysOf(object[name]);
  }
  return keys;
}
