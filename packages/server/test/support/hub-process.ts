import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask, type Answer, type Question } from '../../src/platform/http/testing.ts';
import type { Scope } from './database.ts';

/** What `npm start` runs, as a process that tests start, ask, stop and kill. */

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A token for hubs that are told one (`LINKSPAN_ADMIN_TOKEN`). */
export const ADMIN = 'administrator-of-these-tests-0123456789';

export type Env = Readonly<Record<string, string>>;

/** How a hub process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly log: string;
  /** What a person reads of standard error: everything that is no line of the log. */
  readonly told: string;
}

/** A hub that serves. */
export interface HubProcess {
  readonly pid: number;
  /** As it printed it: `http://127.0.0.1:40123`. */
  readonly address: string;
  readonly port: number;
  /** The administrator's token, if this start printed one. */
  readonly newToken: string | undefined;
  /** Milliseconds from its start until it was ready. */
  readonly startedIn: number;
  /** Standard output so far. */
  readonly out: string;
  /** Standard error so far: the log. */
  readonly log: string;
  readonly ended: Promise<Ending>;
  /** Sends a request; without a token unless the question has one. */
  ask(question: Question): Promise<Answer>;
  kill(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<Ending>;
}

/** Where hubs run one after another, or try to: a data directory, and what their environments share. */
export interface Place {
  readonly dataDir: string;
  start(env?: Env): Promise<HubProcess>;
  /** Runs a hub that is not meant to become ready, and gives its end. */
  refused(env?: Env): Promise<Ending>;
}

/**
 * Makes a place; its hubs are stopped and its directory removed after the test. An `account` owns the directory and
 * runs the hubs. Hubs get nothing of the environment of the tests.
 */
export async function openPlace(
  t: Scope,
  shared: Env = {},
  account?: { readonly uid: number; readonly gid: number },
): Promise<Place> {
  const dataDir = await mkdtemp(join(tmpdir(), 'linkspan-hub-'));
  await chmod(dataDir, 0o755);
  if (account) await chown(dataDir, account.uid, account.gid);
  const launched: Launched[] = [];
  t.after(async () => {
    await Promise.all(launched.map((hub) => hub.end('SIGTERM')));
    await rm(dataDir, { recursive: true, force: true });
  });
  const launchHere = (env: Env): Launched => {
    const child = spawn(process.execPath, [MAIN], {
      cwd: '/',
      env: { LINKSPAN_PORT: '0', LINKSPAN_DATA_DIR: dataDir, ...shared, ...env },
      ...account,
    });
    const hub = watch(child);
    launched.push(hub);
    return hub;
  };
  return {
    dataDir,
    start: async (env = {}) => serving(launchHere(env)),
    async refused(env = {}) {
      const hub = launchHere(env);
      if ((await Promise.race([hub.ready, hub.ended])) !== undefined) return hub.ended;
      throw new Error(`The hub was meant not to start, but is ready: ${hub.said.out}`);
    },
  };
}

/** A hub in a place of its own. */
export async function startHub(t: Scope, env: Env): Promise<HubProcess> {
  return (await openPlace(t, env)).start();
}

interface Launched {
  readonly child: ChildProcess;
  readonly said: { out: string; log: string };
  readonly launchedAt: number;
  readonly ready: Promise<void>;
  readonly ended: Promise<Ending>;
  end(signal: NodeJS.Signals): Promise<Ending>;
}

function watch(child: ChildProcess): Launched {
  const said = { out: '', log: '' };
  const ready = Promise.withResolvers<void>();
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said.out += text;
    if (/ is ready at .*\n/.test(said.out)) ready.resolve();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said.log += text));
  const ended = endingOf(child, said);
  return {
    child,
    said,
    launchedAt: Date.now(),
    ready: ready.promise,
    ended,
    end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

async function endingOf(child: ChildProcess, said: { out: string; log: string }): Promise<Ending> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  const told = said.log.split('\n').filter((line) => !line.startsWith('{"level"'));
  return { code, signal, ...said, told: told.join('\n') };
}

async function serving(hub: Launched): Promise<HubProcess> {
  const { child, said, ended } = hub;
  const ending = await Promise.race([hub.ready, ended]);
  if (ending) throw new Error(`The hub did not start (exit code ${ending.code}): ${ending.log}`);
  const startedIn = Date.now() - hub.launchedAt;
  const address = / is ready at (\S+)/.exec(said.out)?.[1] ?? '';
  const port = Number(new URL(address).port);
  return {
    pid: child.pid ?? -1,
    address,
    port,
    newToken: /shown only now: (\S+)/.exec(said.out)?.[1],
    startedIn,
    get out() {
      return said.out;
    },
    get log() {
      return said.log;
    },
    ended,
    ask: (question) => ask(port, { token: null, path: '/', ...question }),
    kill: (signal) => void child.kill(signal),
    end: (signal) => hub.end(signal),
  };
}

/** The lines of a log as objects. */
export function linesOf(log: string): Record<string, unknown>[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
