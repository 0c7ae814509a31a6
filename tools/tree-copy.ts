import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** A copy of the tree to break: what git knows or would take, with the installed packages linked in. */
export async function copyTree(root: string): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'linkspan-copy-'));
  const { stdout } = await promisify(execFile)(
    'git',
    ['ls-files', '-coz', '--exclude-standard', '--deduplicate'],
    {
      cwd: root,
      maxBuffer: 64 << 20,
    },
  );
  for (const file of stdout.split('\0').filter(Boolean)) {
    await mkdir(dirname(join(path, file)), { recursive: true });
    // Known to git and deleted from the tree: nothing to copy.
    await cp(join(root, file), join(path, file), { verbatimSymlinks: true }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }
  await linkModules(root, path);
  for (const name of await readdir(join(root, 'packages')))
    await linkModules(root, path, join('packages', name));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Links every installed package; our own are those of the copy, or what is broken in one would not reach another. */
async function linkModules(root: string, copy: string, place = ''): Promise<void> {
  const from = join(root, place, 'node_modules');
  const to = join(copy, place, 'node_modules');
  for (const name of await readdir(from).catch(() => [])) {
    await mkdir(to, { recursive: true });
    if (name !== '@linkspan') await symlink(join(from, name), join(to, name));
  }
  for (const name of await readdir(join(from, '@linkspan')).catch(() => [])) {
    await mkdir(join(to, '@linkspan'), { recursive: true });
    await symlink(join(copy, 'packages', name), join(to, '@linkspan', name));
  }
}
