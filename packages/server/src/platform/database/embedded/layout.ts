import { join } from 'node:path';

/**
 * What lies where below the hub's data directory.
 *
 *     hub.lock  hub.pid          who uses the directory now
 *     postgres/                  the hub's own
 *       password                 of the owner of the database; mode 0600
 *       data/                    PostgreSQL's own; complete from the moment it has this name
 *       data.new-…/              a database in the making, or the remains of one
 *       socket/                  PostgreSQL's own; mode 0700
 *       programs-<version>/      a copy of the programs, where the installed ones cannot be used
 */
export interface Layout {
  /** The data directory, absolute, without symbolic links. */
  readonly home: string;
  readonly lock: string;
  readonly pid: string;
  readonly postgres: string;
  readonly password: string;
  readonly data: string;
  /** What names of databases in the making begin with. */
  readonly unfinished: string;
  readonly socket: string;
}

/** The layout below `home`. */
export function layoutOf(home: string): Layout {
  const postgres = join(home, 'postgres');
  return {
    home,
    lock: join(home, 'hub.lock'),
    pid: join(home, 'hub.pid'),
    postgres,
    password: join(postgres, 'password'),
    data: join(postgres, 'data'),
    unfinished: join(postgres, 'data.new-'),
    socket: join(postgres, 'socket'),
  };
}

/** The file in which a running PostgreSQL notes its process, its socket and its state. */
export function serverFile(layout: Pick<Layout, 'data'>): string {
  return join(layout.data, 'postmaster.pid');
}
