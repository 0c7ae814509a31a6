import { chmod, lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asSystemError, directoryError, embeddedErrors } from './errors.ts';
import type { Layout } from './layout.ts';
import { giveTreeTo, isRoot, ownerOf, type Owner } from './ownership.ts';

/**
 * Whether there is a database, and one that these programs can serve.
 *
 * @throws HubError `data_directory_not_a_directory`, `data_directory_foreign`, `database_version_unsupported`,
 *   `database_damaged`.
 */
export async function hasDatabase(layout: Layout, major: string): Promise<boolean> {
  const found = await lstat(layout.data).catch((error: unknown) => {
    if (asSystemError(error).code === 'ENOENT') return undefined;
    throw directoryError(error, layout.data);
  });
  if (!found) return false;
  if (!found.isDirectory())
    throw embeddedErrors.data_directory_not_a_directory({ detail: `${layout.data} is not a directory.` });
  if (!isRoot() && found.uid !== process.getuid?.())
    throw embeddedErrors.data_directory_foreign({ detail: `${layout.data} belongs to user ${found.uid}.` });
  await refuseOtherVersion(layout.data, major);
  await need(join(layout.data, 'global', 'pg_control'));
  await need(layout.password);
  return true;
}

async function refuseOtherVersion(data: string, major: string): Promise<void> {
  const path = join(data, 'PG_VERSION');
  await need(path);
  const version = (await readFile(path, 'utf8')).trim();
  if (!/^\d+$/.test(version)) throw embeddedErrors.database_damaged({ detail: `${path} holds no version.` });
  if (version !== major)
    throw embeddedErrors.database_version_unsupported({
      detail: `${data} was made by PostgreSQL ${version}; this hub runs ${major}.`,
    });
}

async function need(path: string): Promise<void> {
  try {
    await lstat(path);
  } catch (error) {
    if (asSystemError(error).code !== 'ENOENT') throw directoryError(error, path);
    throw embeddedErrors.database_damaged({ detail: `${path} is missing.` });
  }
}

/** A restored backup may belong to whoever restored it, with any mode; PostgreSQL insists on both. */
export async function adopt(layout: Layout, owner: Owner): Promise<void> {
  try {
    if ((await ownerOf(layout.data)).uid !== owner.uid) await giveTreeTo(layout.data, owner);
    await chmod(layout.data, 0o700);
  } catch (error) {
    throw directoryError(error, layout.data);
  }
}
