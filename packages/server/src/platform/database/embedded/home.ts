import { chmod, lstat, mkdir, realpath } from 'node:fs/promises';
import { makePath } from '../../make-path.ts';
import { asSystemError, directoryError, embeddedErrors } from './errors.ts';
import { layoutOf, type Layout } from './layout.ts';
import { giveTo, ownerOf, type Owner } from './ownership.ts';

/** The hub's data directory, and the account its files belong to. */
export interface Home {
  readonly layout: Layout;
  readonly owner: Owner;
}

/** Others may pass through, because PostgreSQL may run as another account, but not look around. */
const PASS_THROUGH = 0o711;

/**
 * Makes the data directory, or finds it.
 *
 * @throws HubError `data_directory_unwritable`, `data_directory_not_a_directory`, `disk_full`.
 */
export async function openHome(dataDir: string): Promise<Home> {
  try {
    await makePath(dataDir, PASS_THROUGH);
    const home = await realpath(dataDir);
    return { layout: layoutOf(home), owner: await ownerOf(home) };
  } catch (error) {
    throw directoryError(error, dataDir);
  }
}

/** Makes the hub's own folder in it. Call it only while holding the lock. */
export function makeOwnFolder({ layout, owner }: Home): Promise<void> {
  return makeFolder(layout.postgres, owner, PASS_THROUGH);
}

/** Makes a folder of `owner`'s, or makes an existing one so. */
export async function makeFolder(path: string, owner: Owner, mode: number): Promise<void> {
  try {
    await mkdir(path).catch(tolerateExisting);
    if (!(await lstat(path)).isDirectory())
      throw embeddedErrors.data_directory_not_a_directory({ detail: `${path} is not a directory.` });
    await giveTo(path, owner);
    await chmod(path, mode); // whatever the umask says
  } catch (error) {
    throw directoryError(error, path);
  }
}

function tolerateExisting(error: unknown): void {
  if (asSystemError(error).code !== 'EEXIST') throw error;
}
