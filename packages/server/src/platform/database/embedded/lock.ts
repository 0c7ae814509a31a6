import { constants } from 'node:fs';
import { lstat, open, readFile, rm, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { asSystemError, directoryError, embeddedErrors } from './errors.ts';
import { giveTo, type Owner } from './ownership.ts';
import type { Layout } from './layout.ts';

/** Gives the data directory free. */
export type Release = () => void;

/** SQLite's code for "somebody else holds the lock". */
const SQLITE_BUSY = 5;

/** Keeps held locks from being collected as garbage, which would release them. */
const held = new Set<DatabaseSync>();

/**
 * Makes this process the only hub on its data directory.
 *
 * The kernel must release the lock of a hub that was killed, and no reused process id may look like a living
 * one. Node has no file locks; SQLite's exclusive lock is one (`fcntl`), on every platform and across containers
 * that share the directory. The file stays empty: nothing is ever written through it.
 */
export async function lockHome(layout: Layout, owner: Owner): Promise<Release> {
  await makeLockFile(layout.lock, owner);
  const database = takeLock(layout.lock) ?? (await refuse(layout));
  held.add(database);
  await notePid(layout.pid, owner);
  return () => {
    held.delete(database);
    database.close();
  };
}

/** A link in its place could make the hub create a file elsewhere: only a real file will do. */
async function makeLockFile(path: string, owner: Owner): Promise<void> {
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    await file.close();
    await giveTo(path, owner);
  } catch (error) {
    if (asSystemError(error).code !== 'EEXIST') throw directoryError(error, path);
    if (!(await lstat(path)).isFile()) throw directoryError(new Error('not a plain file'), path);
  }
}

function takeLock(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw directoryError(error, path);
  }
}

async function refuse(layout: Layout): Promise<never> {
  const pid = (await readFile(layout.pid, 'utf8').catch(() => '')).trim();
  const who = pid === '' ? 'another process' : `process ${pid}`;
  throw embeddedErrors.data_directory_in_use({ detail: `${layout.home} is used by ${who}.` });
}

/** The note only names the holder to whoever is refused; the lock itself decides. */
async function notePid(path: string, owner: Owner): Promise<void> {
  try {
    await rm(path, { force: true });
    await writeFile(path, `${process.pid}\n`, { flag: 'wx', mode: 0o644 });
    await giveTo(path, owner);
  } catch (error) {
    throw directoryError(error, path);
  }
}
