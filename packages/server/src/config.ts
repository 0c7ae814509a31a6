import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { inspect } from 'node:util';
import { parseEgressAllow } from './platform/egress/index.ts';

/**
 * The configuration: one table of variables, and the only reader of the environment. `docs/configuration.md`
 * is drawn from the same table. A wrong value stops the start; all wrong values are named at once.
 */

/** A value that shows itself only when asked: it prints and serialises as `***`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. */
  reveal(): string {
    return this.#value;
  }

  toJSON(): string {
    return '***';
  }

  toString(): string {
    return '***';
  }

  [inspect.custom](): string {
    return '***';
  }
}

interface Variable<T> {
  readonly name: string;
  /** Text used when the variable is absent; undefined leaves the setting `undefined`. */
  readonly fallback?: string;
  readonly example: string;
  readonly help: string;
  /** Turns text into the value, or throws a plain `Error` that says what is wrong with it. */
  readonly parse: (text: string) => T;
}

const variable = <T>(spec: Variable<T>): Variable<T> => spec;

/** Every variable the hub reads. */
export const variables = {
  port: variable({
    name: 'LINKSPAN_PORT',
    fallback: '7004',
    example: '7004',
    help: 'Port to listen on. 0 takes any free one and prints it.',
    parse: wholeNumber(0, 65_535),
  }),
  host: variable({
    name: 'LINKSPAN_HOST',
    fallback: '127.0.0.1',
    example: '0.0.0.0',
    help: 'Address to listen on. The default is reachable from this machine only.',
    parse: listenAddress,
  }),
  publicUrl: variable({
    name: 'LINKSPAN_PUBLIC_URL',
    example: 'https://hub.example.com',
    help: 'Address under which others reach the hub, without a path. The start of every address the hub hands out.',
    parse: origin,
  }),
  allowedHosts: variable({
    name: 'LINKSPAN_ALLOWED_HOSTS',
    fallback: '',
    example: 'linkspan,hub.internal',
    help: 'Further host names requests may be addressed to, beside localhost, IP addresses and the public address.',
    parse: list(hostName),
  }),
  dataDir: variable({
    name: 'LINKSPAN_DATA_DIR',
    fallback: './.linkspan',
    example: '/var/lib/linkspan',
    help: 'Directory of the embedded database, the key file and stored files.',
    parse: directory,
  }),
  databaseUrl: variable({
    name: 'LINKSPAN_DATABASE_URL',
    example: 'postgres://linkspan:secret@db.internal:5432/linkspan',
    help: 'A PostgreSQL (15 or newer) of your own instead of the embedded one. Several hubs may share it.',
    parse: postgresUrl,
  }),
  databaseWait: variable({
    name: 'LINKSPAN_DATABASE_WAIT',
    fallback: '15',
    example: '60',
    help: 'Seconds to wait at start for a database that does not answer yet.',
    parse: wholeNumber(0, 3_600),
  }),
  adminToken: variable({
    name: 'LINKSPAN_ADMIN_TOKEN',
    example: 'a-random-text-of-at-least-32-characters',
    help: "The administrator's token, 32 characters or more. Without it the first start makes one and prints it once.",
    parse: adminToken,
  }),
  masterKey: variable({
    name: 'LINKSPAN_MASTER_KEY',
    example: 'the output of: openssl rand -base64 32',
    help: 'The key all stored secrets are sealed with: 32 bytes as base64 or hexadecimal. Without it a key file in the data directory is used.',
    parse: masterKey,
  }),
  egressAllow: variable({
    name: 'LINKSPAN_EGRESS_ALLOW',
    fallback: '',
    example: 'crm.internal:8443,10.20.0.0/16',
    help: 'Hosts, host:port pairs and address ranges that calls may reach although they are private, separated by commas.',
    parse: parseEgressAllow,
  }),
  tenantCallsPerDay: variable({
    name: 'LINKSPAN_TENANT_CALLS_PER_DAY',
    fallback: '50000000',
    example: '1000000',
    help: 'Calls a tenant may start on one day (UTC).',
    parse: wholeNumber(1, 999_999_999),
  }),
  tenantUnfinished: variable({
    name: 'LINKSPAN_TENANT_UNFINISHED',
    fallback: '1000000',
    example: '10000',
    help: 'Calls of a tenant that may be unfinished at once: queued, running, waiting and held.',
    parse: wholeNumber(1, 999_999_999),
  }),
  tenantStoredMegabytes: variable({
    name: 'LINKSPAN_TENANT_STORED_MEGABYTES',
    fallback: '51200',
    example: '1024',
    help: 'Megabytes of inputs and outputs a tenant may store.',
    parse: wholeNumber(1, 999_999_999),
  }),
  logLevel: variable({
    name: 'LINKSPAN_LOG_LEVEL',
    fallback: 'info',
    example: 'debug',
    help: 'Least severe level that is logged: trace, debug, info, warn, error, fatal or silent.',
    parse: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  }),
  shutdownGrace: variable({
    name: 'LINKSPAN_SHUTDOWN_GRACE',
    fallback: '25',
    example: '60',
    help: 'Seconds that running work may take after SIGTERM before it is handed back.',
    parse: wholeNumber(0, 3_600),
  }),
};

type Optional = 'publicUrl' | 'databaseUrl' | 'adminToken' | 'masterKey';

/** The settings of a process, each of its parsed type. */
export type Config = {
  readonly [K in keyof typeof variables]:
    ReturnType<(typeof variables)[K]['parse']> | (K extends Optional ? undefined : never);
};

/** Names every wrong variable with its fault and an example. Never quotes the value: it may be a secret. */
export class ConfigError extends Error {
  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'ConfigError';
  }
}

/**
 * Reads the settings. An empty value counts as absent.
 *
 * @throws ConfigError with one line per wrong variable, and for each variable that looks like a misspelt one.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const faults = misspelt(env);
  const settings: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(variables) as [string, Variable<unknown>][]) {
    const text = env[spec.name]?.trim() || spec.fallback;
    if (text === undefined) continue;
    try {
      settings[key] = spec.parse(text);
    } catch (fault) {
      faults.push(`${spec.name} ${(fault as Error).message} Example: ${spec.name}=${spec.example}`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return settings as Config;
}

/** A name that is one slip away from a known one is a mistake; any other unknown name is somebody else's. */
function misspelt(env: NodeJS.ProcessEnv): string[] {
  const known = Object.values(variables).map((spec) => spec.name);
  return Object.keys(env)
    .filter((name) => !known.includes(name))
    .flatMap((name) => {
      const meant = known.find((candidate) => isSlip(letters(name), letters(candidate)));
      return meant ? [`${name} is not a variable of the hub. Did you mean ${meant}?`] : [];
    });
}

/** Alike for names that differ in case, underscores or a plural. */
function letters(name: string): string {
  return name.toUpperCase().replaceAll('_', '').replace(/S$/, '');
}

/** Whether at most one letter is wrong, missing, too many or swapped with its neighbour. */
function isSlip(one: string, other: string): boolean {
  let same = 0;
  while (same < one.length && one[same] === other[same]) same++;
  const [a, b] = [one.slice(same), other.slice(same)];
  const swapped = a.slice(0, 2) === b.charAt(1) + b.charAt(0) && a.slice(2) === b.slice(2);
  return swapped || a.slice(1) === b.slice(1) || a.slice(1) === b || a === b.slice(1);
}

function listenAddress(text: string): string {
  if (isIP(text) || HOST_NAME.test(text)) return text;
  throw new Error('must be an IP address or a host name, without scheme and port.');
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new Error(`must be a whole number from ${least} to ${most}.`);
  };
}

function oneOf<const T extends string>(...values: readonly T[]): (text: string) => T {
  return (text) => {
    const value = values.find((candidate) => candidate === text);
    if (value !== undefined) return value;
    throw new Error(`must be one of ${values.join(', ')}.`);
  };
}

function list<T>(parse: (text: string) => T): (text: string) => readonly T[] {
  return (text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
      .map(parse);
}

const HOST_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i;

function hostName(text: string): string {
  if (HOST_NAME.test(text)) return text.toLowerCase();
  throw new Error('must be host names without scheme and port, separated by commas.');
}

function origin(text: string): URL {
  const url = URL.parse(text);
  const bare = url && url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password;
  if (bare && (url.protocol === 'https:' || url.protocol === 'http:')) return url;
  throw new Error('must be an http or https address without user, path, query or fragment.');
}

function directory(text: string): string {
  if (text.includes('\0')) throw new Error('must be a path without NUL characters.');
  return resolve(text.startsWith('~/') ? homedir() + text.slice(1) : text);
}

function postgresUrl(text: string): Secret {
  const url = URL.parse(text);
  const named = url && (url.host !== '' || url.searchParams.has('host')) && url.pathname.length > 1;
  if (named && (url.protocol === 'postgres:' || url.protocol === 'postgresql:')) return new Secret(text);
  throw new Error('must be a postgres:// address that names host and database.');
}

function adminToken(text: string): Secret {
  if (/^[\x21-\x7e]{32,512}$/.test(text)) return new Secret(text);
  throw new Error('must be 32 to 512 visible ASCII characters without spaces.');
}

/** 32 bytes in hexadecimal or base64, whose last digit then has two bits to spare. */
const MASTER_KEY = /^(?:[0-9a-fA-F]{64}|[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=?)$/;

function masterKey(text: string): Secret {
  if (MASTER_KEY.test(text)) return new Secret(text);
  throw new Error('must be 32 random bytes as base64 or as 64 hexadecimal digits.');
}
