import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../../log.ts';
import { programError } from './errors.ts';
import type { Layout } from './layout.ts';
import type { Means } from './means.ts';

/** One run of the PostgreSQL server, from the moment it takes connections. */
export interface Server {
  readonly pid: number;
  /** Resolves when it has ended and was reaped, with how. */
  readonly ended: Promise<Ending>;
  /** Ends it in good order: sessions are cut off, everything is written. Harsher when that takes too long. */
  stop(): Promise<void>;
}

export interface Ending {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerOptions {
  readonly layout: Layout;
  readonly means: Means;
  readonly socket: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: Log;
}

/** How many of its last lines are quoted when it does not start. */
const LAST_WORDS = 12;

/** Each signal of a stop, with the milliseconds it has to work. */
const STOP: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGINT', 30_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
];

/**
 * Starts the server and waits until it takes connections. After a crash it first repairs the database, however long
 * that takes.
 *
 * @throws HubError `postgres_refused_to_start`, `database_damaged`, `disk_full`.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { means, layout, log } = options;
  const child = means.runner.start(means.programs.postgres, argumentsFor(options));
  const ended = endingOf(child);
  const words: string[] = [];
  const lines = createInterface({ input: child.stderr! });
  const allSaid = once(lines, 'close');
  const ready = new Promise<true>((resolve) => {
    lines.on('line', (line) => {
      words.push(line);
      if (words.length > LAST_WORDS) words.shift();
      log[levelOf(line)]('embedded PostgreSQL', { line });
      if (line.endsWith('database system is ready to accept connections')) resolve(true);
    });
  });
  child.stdout?.resume();
  const takeAlong = (): void => void child.kill('SIGINT');
  process.once('exit', takeAlong); // a hub that ends without stop() leaves no server behind
  void ended.then(() => process.off('exit', takeAlong));
  if ((await Promise.race([ready, ended])) !== true) {
    await Promise.race([allSaid, pause(1_000)]); // a child of it may hold the other end open
    throw programError('postgres_refused_to_start', layout.data, words.join('\n'));
  }
  return { pid: child.pid ?? -1, ended, stop: () => stop(child, ended) };
}

function argumentsFor({ layout, means, socket, settings }: ServerOptions): string[] {
  const reach = (path: string): string => means.runner.reach(path);
  const all = { ...settings, unix_socket_directories: reach(socket) };
  return [
    '-D',
    reach(layout.data),
    ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

/** A program that cannot be started ends at once. */
async function endingOf(child: ChildProcess): Promise<Ending> {
  try {
    const [exitCode, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return { exitCode, signal };
  } catch {
    return { exitCode: null, signal: null };
  }
}

function levelOf(line: string): 'debug' | 'warn' {
  return /^(?:FATAL|PANIC|ERROR|WARNING): /.test(line) ? 'warn' : 'debug';
}

async function stop(child: ChildProcess, ended: Promise<Ending>): Promise<void> {
  for (const [signal, patience] of STOP) {
    child.kill(signal);
    const done = await Promise.race([ended, pause(patience, false, { ref: false })]);
    if (done !== false) return;
  }
}
