import { lstat, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory and those above it; one that exists stays as it is. Node's own `recursive` never returns where the
 * file system says that a name does not exist and lets nobody make it, as /proc does.
 *
 * @throws the file system's error
 */
export async function makePath(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode }).catch(tolerateExisting);
  } catch (error) {
    const above = dirname(path);
    if (codeOf(error) !== 'ENOENT' || above === path || (await exists(above))) throw error;
    await makePath(above, mode);
    await mkdir(path, { mode }).catch(tolerateExisting);
  }
}

function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function tolerateExisting(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error;
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
