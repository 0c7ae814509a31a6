import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import { HubError } from '../errors.ts';
import { makePath } from '../make-path.ts';
import { sealErrors } from './errors.ts';
import { KEY_BYTES } from './secret-key.ts';

/** Bytes of the largest file that is read at all. */
const LARGEST = 1024;

/**
 * The text of a key file, or nothing where there is none.
 * @throws master_key_exposed, master_key_invalid, master_key_unusable
 */
export async function readKeyFile(file: string): Promise<string | undefined> {
  try {
    await using handle = await open(file, 'r');
    requirePrivate(file, await handle.stat());
    return await handle.readFile('utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw explained(file, error);
  }
}

/**
 * Makes a key file with a fresh key as text, fit to be copied into a safe; readable by its owner alone and on disk
 * before this returns. If another process made it first, that one stands.
 *
 * Invariant: the name `file` never stands for anything but a whole key. The key is written and synced under
 * another name, then linked; a hub that dies half-way leaves at most a stray draft.
 * @throws master_key_unusable
 */
export async function makeKeyFile(file: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}.draft`;
  try {
    await makePath(dirname(file), 0o711);
    await writeSynced(draft, `${randomBytes(KEY_BYTES).toString('hex')}\n`);
    await link(draft, file).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    await rm(draft);
    await syncDirectory(dirname(file));
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw explained(file, error);
  }
}

async function writeSynced(file: string, text: string): Promise<void> {
  await using handle = await open(file, 'wx', 0o600);
  await handle.writeFile(text);
  await handle.sync();
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}

function requirePrivate(file: string, stats: Stats): void {
  const fault = exposure(stats, process.geteuid?.() ?? stats.uid);
  if (fault) throw sealErrors.master_key_exposed({ detail: `${file} ${fault}.` });
  if (stats.size > LARGEST) {
    throw sealErrors.master_key_invalid({ detail: `${file} has ${stats.size} bytes: that is no key file.` });
  }
}

function exposure(stats: Stats, user: number): string | undefined {
  if (!stats.isFile()) return 'is not a plain file';
  if (stats.uid !== user) return `belongs to user ${stats.uid}, but the hub runs as user ${user}`;
  if ((stats.mode & 0o077) === 0) return undefined;
  return `has mode ${(stats.mode & 0o777).toString(8).padStart(4, '0')}, not 0600`;
}

function explained(file: string, error: unknown): HubError {
  if (error instanceof HubError) return error;
  const { errno } = error as { errno?: unknown };
  const why = typeof errno === 'number' ? getSystemErrorMessage(errno) : 'unexpected error';
  return sealErrors.master_key_unusable({ detail: `${file}: ${why}.`, cause: error });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
