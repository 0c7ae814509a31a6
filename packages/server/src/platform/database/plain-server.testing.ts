// For tests: a PostgreSQL that knows nothing of the hub, whose superuser needs no password.
import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseTarget } from './connection.ts';
import { createLog } from '../log.ts';
import { makeFolder, makeOwnFolder, openHome } from './embedded/home.ts';
import { findMeans } from './embedded/means.ts';
import { findPackage, type Programs } from './embedded/programs.ts';
import { giveTo } from './embedded/ownership.ts';
import { chooseRunner, outcome } from './embedded/runner.ts';
import { startServer, type Server } from './embedded/server.ts';

/** A server that tests break. */
export interface PlainServer {
  /** Its superuser. */
  readonly target: DatabaseTarget;
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** The programs the hub brings, at a place from which they run: other accounts may not enter this checkout. */
export async function ownPrograms(): Promise<Programs> {
  const folder = await mkdtemp(join(tmpdir(), 'linkspan-plain-'));
  const home = await openHome(folder);
  await makeOwnFolder(home);
  const { programs, runner } = await findMeans(home, await findPackage());
  await runner.close();
  await rm(folder, { recursive: true, force: true });
  return programs;
}

/** The oldest version the hub supports, if this machine has it. */
export const oldest: Programs = {
  initdb: '/usr/lib/postgresql/15/bin/initdb',
  postgres: '/usr/lib/postgresql/15/bin/postgres',
};
export const withoutOldest = await access(oldest.initdb).then(
  () => false,
  () => 'PostgreSQL 15 is not installed here',
);

/** Starts one in a temporary directory; it is stopped and removed by what is given to `after`. */
export async function startPlainServer(
  t: { after(work: () => Promise<void>): void },
  programs: Programs,
): Promise<PlainServer> {
  const folder = await mkdtemp(join(tmpdir(), 'linkspan-plain-'));
  const home = await openHome(folder);
  await makeOwnFolder(home);
  const { layout } = home;
  const runner = await chooseRunner(home);
  await mkdir(layout.data, { mode: 0o700 });
  await giveTo(layout.data, runner.owner);
  await makeFolder(layout.socket, runner.owner, 0o700);
  const made = await outcome(
    runner.start(
      programs.initdb,
      ['-D', runner.reach(layout.data), '-U', 'postgres', '--auth=trust', '--no-sync'],
      { needsName: true },
    ),
  );
  if (!made.ok) throw new Error(made.said);
  const options = {
    layout,
    means: { runner, programs, major: '' },
    socket: layout.socket,
    settings: { listen_addresses: '', fsync: 'off', lc_messages: 'C', log_line_prefix: '' },
    log: createLog({ level: 'silent' }),
  };
  let server: Server = await startServer(options);
  t.after(async () => {
    await server.stop();
    await runner.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    target: { host: layout.socket, port: 5432, user: 'postgres', database: 'postgres' },
    stop: () => server.stop(),
    start: async () => {
      server = await startServer(options);
    },
  };
}
