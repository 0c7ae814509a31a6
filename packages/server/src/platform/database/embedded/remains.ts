import { execFile } from 'node:child_process';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Log } from '../../log.ts';
import { asSystemError, embeddedErrors } from './errors.ts';
import { serverFile, type Layout } from './layout.ts';

/** Each signal a server that was left behind gets, and the milliseconds it then has to end. */
const PERSUASION: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGINT', 10_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
];

/**
 * Ends what a killed hub or a crashed server left running on the database. Call it only while holding the lock,
 * and before every start: two servers on one database would destroy it.
 */
export async function endRemains(layout: Layout, log: Log): Promise<void> {
  for (const [signal, patience] of PERSUASION) {
    const running = await processesOn(layout);
    if (running.length === 0) return forgetServer(layout);
    const postmaster = await notedPid(layout);
    if (running.includes(postmaster)) {
      log.warn('a PostgreSQL that was left running is being stopped', { pid: postmaster, signal });
      signalTo(postmaster, signal);
    } else if (signal !== 'SIGINT') {
      for (const pid of running) signalTo(pid, signal); // children notice the end of their parent; most of them
    }
    await allEnded(layout, patience);
  }
  const left = await processesOn(layout);
  if (left.length > 0)
    throw embeddedErrors.postgres_refused_to_start({
      detail: `Process ${left.join(', ')} still works on ${layout.data} and could not be stopped.`,
    });
  await forgetServer(layout);
}

/**
 * Nobody works on the database, so its note of a running server only misleads once the number belongs to another
 * process, or to a dead one nobody reaped. A process that may not be looked into is left for PostgreSQL to judge.
 */
async function forgetServer(layout: Layout): Promise<void> {
  const hidden = await stat(`/proc/${await notedPid(layout)}/cwd`).then(
    () => false,
    (error: unknown) => asSystemError(error).code === 'EACCES',
  );
  if (!hidden) await rm(serverFile(layout), { force: true });
}

async function notedPid(layout: Layout): Promise<number> {
  const [pid] = (await readFile(serverFile(layout), 'utf8').catch(() => '')).split('\n');
  return Number(pid) || -1;
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended meanwhile, or is another account's: the next look tells
  }
}

async function allEnded(layout: Layout, patience: number): Promise<void> {
  const until = Date.now() + patience;
  while (Date.now() < until && (await processesOn(layout)).length > 0) await pause(20);
}

/** Processes of PostgreSQL on this database. Each of them works in the data directory; a dead one works nowhere. */
async function processesOn(layout: Layout): Promise<number[]> {
  return process.platform === 'linux' ? workingIn(layout.data) : commandedTo(layout);
}

async function workingIn(folder: string): Promise<number[]> {
  const home = await stat(folder).catch(() => undefined);
  if (!home) return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const place = await stat(`/proc/${pid}/cwd`).catch(() => undefined);
      if (place?.ino !== home.ino || place.dev !== home.dev) return [];
      return (await nameOf(pid)) === 'postgres' ? [Number(pid)] : []; // not an operator's shell
    }),
  );
  return found.flat();
}

async function nameOf(pid: string): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
}

/** Where there is no `/proc`: the noted process, if its command line names the data directory. */
async function commandedTo(layout: Layout): Promise<number[]> {
  const pid = await notedPid(layout);
  if (pid < 0) return [];
  const ps = await promisify(execFile)('ps', ['-p', String(pid), '-o', 'stat=,command=']).catch(
    () => undefined,
  );
  return ps && !ps.stdout.startsWith('Z') && ps.stdout.includes(layout.data) ? [pid] : [];
}
