import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { ROOT } from './root.ts';

/** A newcomer's clone: the last commit of this repository in a folder nobody else may enter. */
export interface Clone {
  readonly path: string;
  /** Environment with a home of its own, and nothing of the hub's. */
  readonly env: NodeJS.ProcessEnv;
  /** Absent for the user who runs the tests. */
  readonly uid?: number;
}

/** The Node of the machine, not the pinned one: a newcomer has no other. */
const MACHINE_PATH = (process.env['PATH'] ?? '')
  .split(':')
  .filter((folder) => !folder.includes('node_modules'))
  .join(':');

export async function freshClone(t: TestContext, uid?: number): Promise<Clone> {
  const parent = await mkdtemp(join(tmpdir(), 'linkspan-clone-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  await chmod(parent, 0o700);
  const path = join(parent, 'linkspan');
  const run = promisify(execFile);
  await run('git', ['clone', '--quiet', '--no-hardlinks', ROOT, path]);
  if (uid !== undefined) {
    await run('chown', ['-R', `${uid}:${uid}`, path]);
    await chown(parent, uid, uid);
  }
  const kept = ['LANG', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'NODE_EXTRA_CA_CERTS'];
  const env = Object.fromEntries(
    kept.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  );
  const registry = (await run('npm', ['config', 'get', 'registry'])).stdout.trim();
  return {
    path,
    env: { ...env, PATH: MACHINE_PATH, HOME: parent, TMPDIR: tmpdir(), npm_config_registry: registry },
    ...(uid === undefined ? {} : { uid }),
  };
}

/** Options of a process that runs in the clone as its owner. */
export function inClone({ path, env, uid }: Clone): {
  cwd: string;
  env: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
} {
  return { cwd: path, env, ...(uid === undefined ? {} : { uid, gid: uid }) };
}

/** A hub started by a command as a newcomer starts it. */
export interface StartedHub {
  readonly process: ChildProcess;
  readonly address: string;
  /** Milliseconds from the command to the printed address. */
  readonly took: number;
  /** Everything printed so far. */
  readonly output: () => string;
  /** The first text of this form that is printed; rejects when the hub ends, or stays silent, without it. */
  readonly printed: (form: RegExp) => Promise<string>;
  /** SIGTERM to the command. Resolves to its exit code. */
  stop(): Promise<number | null>;
}

/** How a hub prints the administrator's token, on its first start alone. */
export const TOKEN = /\blsp_[\w-]{20,}/;

/** Milliseconds without a word after which a command is given up; an installation prints nothing while it loads. */
const SILENCE = 180_000;

const ADDRESS = /http:\/\/127\.0\.0\.1:\d+/;

/** Starts the hub in a clone and waits for its address. Fails with what was printed when it ends before. */
export async function startHub(t: TestContext, clone: Clone, command = 'npm start'): Promise<StartedHub> {
  const began = performance.now();
  const child = spawn('/bin/sh', ['-c', `exec ${command}`], {
    ...inClone(clone),
    env: { ...clone.env, LINKSPAN_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => void child.kill('SIGTERM'));
  const exit = once(child, 'close').then(([code]) => code as number | null);
  let output = '';
  const changes = new EventEmitter();
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      changes.emit('change');
    });
  void exit.then(() => changes.emit('change'));

  async function printed(form: RegExp): Promise<string> {
    for (;;) {
      const found = form.exec(output)?.[0];
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`The hub ended without printing ${form}:\n${output}`);
      await nextOutput();
    }
  }

  async function nextOutput(): Promise<void> {
    await once(changes, 'change', { signal: AbortSignal.timeout(SILENCE) }).catch(() => {
      throw new Error(`Nothing was printed for ${SILENCE / 1000} s after:\n${output}`);
    });
  }

  const address = await printed(ADDRESS);
  while (!(await isReady(address))) await nextOutput();
  const stop = (): Promise<number | null> => {
    child.kill('SIGTERM');
    return exit;
  };
  return { process: child, address, took: performance.now() - began, output: () => output, printed, stop };
}

async function isReady(address: string): Promise<boolean> {
  return fetch(`${address}/readyz`).then(
    (response) => response.ok,
    () => false,
  );
}
