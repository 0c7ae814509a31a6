import type { HubError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { DatabaseTarget } from '../connection.ts';
import { adopt, hasDatabase } from './check.ts';
import { createDatabase, DATABASE, LOGIN, readPassword } from './create.ts';
import { embeddedErrors } from './errors.ts';
import { makeOwnFolder, openHome, type Home } from './home.ts';
import { lockHome } from './lock.ts';
import { findMeans } from './means.ts';
import { findPackage } from './programs.ts';
import { settings } from './settings.ts';
import { makeSocketFolder } from './socket.ts';
import { supervise } from './supervise.ts';

export interface EmbeddedOptions {
  /** The hub's data directory; made when it is missing. */
  readonly dataDir: string;
  readonly log: Log;
  /** The package of the programs, where it is not the installed one. */
  readonly packageDirectory?: string;
  /** Settings of PostgreSQL that differ from the hub's. Only tests need them. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Milliseconds before each try to start a crashed server again, where they differ from the usual ones. */
  readonly retries?: readonly number[];
}

/** A PostgreSQL that runs as a child of this process, and only for it. */
export interface EmbeddedPostgres {
  readonly target: DatabaseTarget;
  /** The data directory, absolute, without symbolic links. */
  readonly directory: string;
  /** Process id of the server that runs now; another one after a crash. */
  readonly pid: number;
  /** Resolves, with the reason, when the server crashed and would not start again. The hub cannot go on then. */
  readonly gaveUp: Promise<HubError>;
  /** Stops the server and gives the data directory free. Further calls wait for the same end. */
  stop(): Promise<void>;
}

type CleanUp = () => unknown;

/**
 * Starts the embedded PostgreSQL; the first time makes its database. A server that crashes is started again. What a
 * killed hub left running is ended first.
 *
 * @throws HubError one of `embeddedErrors`; nothing is left running or locked then.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const cleanUps: CleanUp[] = [];
  try {
    return await start(options, cleanUps);
  } catch (error) {
    await cleanUp(cleanUps);
    throw error;
  }
}

async function start(options: EmbeddedOptions, cleanUps: CleanUp[]): Promise<EmbeddedPostgres> {
  if (process.platform === 'win32') throw embeddedErrors.platform_not_supported();
  const home = await openHome(options.dataDir);
  cleanUps.push(await lockHome(home.layout, home.owner));
  await makeOwnFolder(home);
  const means = await findMeans(home, await findPackage(options.packageDirectory));
  cleanUps.push(() => means.runner.close());
  if (!(await hasDatabase(home.layout, means.major))) await createDatabase(home, means);
  await adopt(home.layout, means.runner.owner);
  const socket = await makeSocketFolder(home, means.runner.owner);
  cleanUps.push(() => socket.remove());
  const target = await targetOf(home, socket.path);
  const supervisor = await supervise({
    layout: home.layout,
    means,
    socket: socket.path,
    settings: { ...settings, ...options.settings },
    log: options.log,
    ...(options.retries ? { retries: options.retries } : {}),
  });
  cleanUps.push(() => supervisor.stop());
  let stopped: Promise<void> | undefined;
  return {
    target,
    directory: home.layout.home,
    get pid() {
      return supervisor.pid;
    },
    gaveUp: supervisor.gaveUp,
    stop: () => (stopped ??= cleanUp(cleanUps)),
  };
}

async function targetOf({ layout }: Home, socket: string): Promise<DatabaseTarget> {
  const password = await readPassword(layout.password);
  if (password === undefined)
    throw embeddedErrors.database_damaged({ detail: `${layout.password} holds no password.` });
  return { host: socket, port: 5432, user: LOGIN, password, database: DATABASE };
}

/** The last made goes first. */
async function cleanUp(cleanUps: CleanUp[]): Promise<void> {
  for (let next = cleanUps.pop(); next; next = cleanUps.pop()) await next();
}
