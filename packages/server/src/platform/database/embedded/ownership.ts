import { chown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Whose a file is. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whether this process is the superuser of the machine, whom PostgreSQL refuses. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** The account this process runs as. */
export function ownAccount(): Owner {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

/** Whose `path` is; a link is asked about itself. */
export async function ownerOf(path: string): Promise<Owner> {
  const { uid, gid } = await lstat(path);
  return { uid, gid };
}

/**
 * Hands a file over that a hub run by root made, so that a directory of an ordinary user stays usable for that
 * user. Ordinary users make files of their own only: nothing to do.
 */
export async function giveTo(path: string, owner: Owner): Promise<void> {
  if (isRoot() && (await ownerOf(path)).uid !== owner.uid) await chown(path, owner.uid, owner.gid);
}

/** Hands over a directory with all that is in it. Links are not followed. */
export async function giveTreeTo(path: string, owner: Owner): Promise<void> {
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await giveTo(join(entry.parentPath, entry.name), owner);
  }
  await giveTo(path, owner);
}
