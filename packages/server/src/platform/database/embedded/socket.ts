import { chmod, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { directoryError } from './errors.ts';
import { makeFolder, type Home } from './home.ts';
import { serverFile, type Layout } from './layout.ts';
import { giveTo, type Owner } from './ownership.ts';

/** The folder of the server's socket. */
export interface SocketFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** The kernel's limit of a socket's path, in bytes without the closing NUL. */
const LONGEST = process.platform === 'linux' ? 107 : 103;
const SOCKET = '.s.PGSQL.5432';
const TEMPORARY = 'linkspan-socket-';

/**
 * Makes an empty folder only PostgreSQL's account may enter: beside the database, or, where that path is too long for
 * a socket, among the temporary files.
 */
export async function makeSocketFolder({ layout }: Home, owner: Owner): Promise<SocketFolder> {
  await removeLeftOver(layout);
  if (!fits(layout.socket)) return temporaryFolder(owner);
  await makeFolder(layout.socket, owner, 0o700);
  await Promise.all((await readdir(layout.socket)).map((name) => rm(join(layout.socket, name))));
  return { path: layout.socket, remove: async () => {} };
}

function fits(folder: string): boolean {
  return Buffer.byteLength(join(folder, SOCKET)) <= LONGEST;
}

async function temporaryFolder(owner: Owner): Promise<SocketFolder> {
  const parent = fits(join(tmpdir(), `${TEMPORARY}XXXXXX`)) ? tmpdir() : '/tmp';
  try {
    const path = await mkdtemp(join(parent, TEMPORARY));
    await giveTo(path, owner);
    await chmod(path, 0o700);
    return { path, remove: () => rm(path, { recursive: true, force: true }) };
  } catch (error) {
    throw directoryError(error, parent);
  }
}

/** A killed hub could not remove its temporary folder; the fifth line of the server's note names it. */
async function removeLeftOver(layout: Layout): Promise<void> {
  const noted = (await readFile(serverFile(layout), 'utf8').catch(() => '')).split('\n')[4] ?? '';
  if (basename(noted).startsWith(TEMPORARY)) await rm(noted, { recursive: true, force: true });
}
