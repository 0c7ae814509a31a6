// What the tests of this folder share.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createLog } from '../../log.ts';
import { atEnd } from '../at-end.testing.ts';
import type { DatabaseTarget } from '../connection.ts';
import { startEmbedded, type EmbeddedOptions, type EmbeddedPostgres } from './embedded.ts';

export const silent = createLog({ level: 'silent' });

export const root = process.getuid?.() === 0;

const fixture = fileURLToPath(new URL('hub.fixture.ts', import.meta.url));

/** An account with a name, and one without. */
export const ORDINARY = { uid: 65_534, gid: 65_534 };
export const NAMELESS = { uid: 54_321, gid: 54_321 };

/** Tests that take on other accounts: reasons to skip them, or false. */
export const unlessRoot = root ? false : 'only root can take on other accounts';
const openToAll =
  spawnSync(process.execPath, ['--check', fixture], { cwd: '/', ...(root ? ORDINARY : {}) }).status === 0;
export const unlessOpen = unlessRoot || (openToAll ? false : 'other accounts cannot enter this checkout');

/** A directory that is removed after the test. */
export async function temporary(t: TestContext, owner?: { uid: number; gid: number }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'linkspan-embedded-'));
  atEnd(t, () => rm(path, { recursive: true, force: true }));
  await chmod(path, 0o755);
  if (owner) await chown(path, owner.uid, owner.gid);
  return path;
}

/** Starts an embedded PostgreSQL in this process; it is stopped after the test. */
export async function start(
  t: TestContext,
  dataDir: string,
  options: Partial<EmbeddedOptions> = {},
): Promise<EmbeddedPostgres> {
  const postgres = await startEmbedded({ dataDir, log: silent, ...options });
  atEnd(t, () => postgres.stop());
  return postgres;
}

/** What a hub process said about its start. */
export interface Hub {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly server: number;
  readonly target: DatabaseTarget;
  /** Set instead of the others when it did not start. */
  readonly code?: string;
  readonly detail?: string;
  /** SIGTERM ends it in good order, SIGHUP by `process.exit(3)`. Waits for its end; the value is its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export interface HubOptions {
  readonly uid?: number;
  readonly gid?: number;
  /** A command that starts the hub: `['setpriv', …]`. */
  readonly by?: readonly string[];
  readonly packageDirectory?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts a hub process on a data directory and waits until it tells how its start went. */
export async function startHub(t: TestContext, dataDir: string, options: HubOptions = {}): Promise<Hub> {
  const { by = [], packageDirectory, env = {}, ...account } = options;
  const packages = packageDirectory === undefined ? [] : [packageDirectory];
  const [program = '', ...args] = [...by, process.execPath, fixture, dataDir, ...packages];
  const child = spawn(program, args, {
    cwd: '/',
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...account,
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return (await closed)[0];
  };
  atEnd(t, () => end('SIGTERM'));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { ...(JSON.parse(line) as Omit<Hub, 'child' | 'end'>), child, end };
}

/** Waits until something is so; fails after ten seconds. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await isSo()); await pause(10))
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}.`);
}

/** Whether a process exists. */
export function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
