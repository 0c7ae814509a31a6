import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { relative } from 'node:path';
import { embeddedErrors } from './errors.ts';
import type { Home } from './home.ts';
import { isRoot, ownAccount, ownerOf, type Owner } from './ownership.ts';

/** Starts the PostgreSQL programs as an account they agree to run as. */
export interface Runner {
  /** Whose PostgreSQL's own files must be. */
  readonly owner: Owner;
  /** How the programs name a path. */
  reach(path: string): string;
  /** Starts a program with its standard output and error piped. Some insist on an account with a name. */
  start(program: string, args: readonly string[], options?: StartOptions): ChildProcess;
  close(): Promise<void>;
}

interface StartOptions {
  readonly needsName?: boolean;
  readonly input?: 'pipe' | 'ignore';
}

/** Makes whoever starts the program look like "nobody" to it: neither root nor without a name. */
const AS_NOBODY = ['unshare', '--user', '--map-user=65534', '--map-group=65534', '--'] as const;

/** The programs get none of the hub's environment: it holds secrets. */
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' };

/**
 * Chooses the way. An ordinary user simply runs them. Root, whom PostgreSQL refuses, gives up its identity for
 * another account's; where the system forbids that, it only looks like one, in a user namespace.
 *
 * @throws HubError `postgres_account_missing`.
 */
export async function chooseRunner(home: Home): Promise<Runner> {
  if (!isRoot()) return ourselves();
  const complaints: string[] = [];
  for (const make of [anotherAccount, namespaced]) {
    const runner = await make(home);
    const complaint = await complaintOf(runner, home.layout.postgres);
    if (complaint === undefined) return runner;
    complaints.push(complaint);
    await runner.close();
  }
  throw embeddedErrors.postgres_account_missing({ detail: `${home.layout.home}: ${complaints.join('; ')}` });
}

function ourselves(): Runner {
  return {
    owner: ownAccount(),
    reach: (path) => path,
    start: (program, args, options = {}) =>
      options.needsName === true && !haveName()
        ? startIn('/', AS_NOBODY[0], [...AS_NOBODY.slice(1), program, ...args], options)
        : startIn('/', program, args, options),
    close: async () => {},
  };
}

function haveName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

/**
 * Runs as another account, on a directory whose parents that account may not be allowed to enter. On Linux an open
 * directory is a door past them: the program inherits it as its file 3 and names everything through it.
 */
async function anotherAccount({ layout, owner }: Home): Promise<Runner> {
  const account = await accountFor(layout.data, owner);
  const door = process.platform === 'linux' ? await open(layout.postgres, 'r') : undefined;
  return {
    owner: account,
    reach: (path) => (door ? through(layout.postgres, path) : path),
    start: (program, args, options = {}) => startIn('/', program, args, { ...options, ...account }, door?.fd),
    close: async () => door?.close(),
  };
}

function through(folder: string, path: string): string {
  const below = relative(folder, path);
  return below.startsWith('..') ? path : `/proc/self/fd/3/${below}`;
}

/** Whoever has the database keeps it. A new one is made by the owner of the data directory, or by nobody. */
async function accountFor(data: string, owner: Owner): Promise<Owner> {
  const present = await ownerOf(data).catch(() => undefined);
  if (present && present.uid !== 0) return present;
  const named = await namedAccounts();
  if (owner.uid !== 0 && [...named.values()].some(({ uid }) => uid === owner.uid)) return owner;
  return named.get('nobody') ?? { uid: 65_534, gid: 65_534 };
}

async function namedAccounts(): Promise<Map<string, Owner>> {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n');
  return new Map(
    lines
      .map((line) => line.split(':'))
      .map(([name = '', , uid, gid]) => [name, { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 }]),
  );
}

/** Needs no right to change accounts, but user namespaces. Outside of it, it remains what it was: root. */
async function namespaced(): Promise<Runner> {
  return {
    owner: ownAccount(),
    reach: (path) => path,
    start: (program, args, options = {}) =>
      startIn('/', AS_NOBODY[0], [...AS_NOBODY.slice(1), program, ...args], options),
    close: async () => {},
  };
}

/** Why a way cannot be gone, or undefined: tries to enter the hub's folder that way. */
async function complaintOf(runner: Runner, folder: string): Promise<string | undefined> {
  try {
    const { ok, said } = await outcome(
      runner.start('/bin/sh', ['-c', 'cd "$1"', 'sh', runner.reach(folder)]),
    );
    return ok ? undefined : said.trim();
  } catch (error) {
    return (error as Error).message; // the system refused the change of accounts
  }
}

/**
 * A session of its own keeps a terminal's Ctrl-C, which the hub answers by draining, away from PostgreSQL.
 */
function startIn(
  cwd: string,
  program: string,
  args: readonly string[],
  { input = 'ignore', uid, gid }: StartOptions & Partial<Owner>,
  door?: number,
): ChildProcess {
  const stdio: StdioOptions = [input, 'pipe', 'pipe', ...(door === undefined ? [] : [door])];
  const account = uid === undefined || gid === undefined ? {} : { uid, gid };
  return spawn(program, args, { cwd, env: ENVIRONMENT, detached: true, stdio, ...account });
}

/** How a program ended, and what it said. Never rejects. */
export async function outcome(child: ChildProcess, input?: string): Promise<{ ok: boolean; said: string }> {
  let said = '';
  const listen = (text: string): void => {
    said = (said + text).slice(-8_000);
  };
  child.stdout?.setEncoding('utf8').on('data', listen);
  child.stderr?.setEncoding('utf8').on('data', listen);
  child.stdin?.on('error', () => {}); // its end says more
  child.stdin?.end(input);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return { ok: code === 0, said };
  } catch (error) {
    return { ok: false, said: (error as Error).message };
  }
}
