import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, mkdtemp, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { asSystemError, directoryError, embeddedErrors, programError } from './errors.ts';
import type { Home } from './home.ts';
import type { Means } from './means.ts';
import { giveTo } from './ownership.ts';
import { outcome } from './runner.ts';

/** The login that owns the hub's tables. No superuser: it obeys row-level security, and cannot reach files. */
export const LOGIN = 'linkspan';
export const DATABASE = 'linkspan';

/** Only the hub's own login enters, and only with its password. */
const ENTRY_RULES = `local all ${LOGIN} scram-sha-256\n`;

/**
 * Makes the database. It is complete from the moment it has its name: whatever goes wrong before leaves nothing.
 *
 * @throws HubError `database_creation_failed`, `disk_full`, `postgres_account_missing`, `data_directory_unwritable`.
 */
export async function createDatabase(home: Home, means: Means): Promise<void> {
  const { layout } = home;
  try {
    await sweepUnfinished(home);
    const password = await makePassword(home);
    const fresh = await mkdtemp(layout.unfinished);
    try {
      await fill(fresh, means, password, layout.home);
      await rename(fresh, layout.data);
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      throw error;
    }
    await syncFolder(layout.postgres);
  } catch (error) {
    throw directoryError(error, layout.postgres);
  }
}

/** Remains of a start that was killed. */
async function sweepUnfinished({ layout }: Home): Promise<void> {
  for (const name of await readdir(layout.postgres)) {
    const path = join(layout.postgres, name);
    if (name.startsWith(basename(layout.unfinished))) await rm(path, { recursive: true });
  }
}

async function fill(fresh: string, means: Means, password: string, home: string): Promise<void> {
  await giveTo(fresh, means.runner.owner);
  await chmod(fresh, 0o700);
  await initialise(fresh, means, home);
  await writeDurably(join(fresh, 'pg_hba.conf'), ENTRY_RULES, constants.O_TRUNC);
  await addLogin(fresh, means, password, home);
}

async function initialise(fresh: string, { runner, programs }: Means, home: string): Promise<void> {
  const args = ['--pgdata', runner.reach(fresh), '--username=postgres', '--auth=reject', '--encoding=UTF8'];
  const locale = ['--no-locale', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const child = runner.start(programs.initdb, [...args, ...locale, '--no-instructions'], { needsName: true });
  const { ok, said } = await outcome(child);
  if (ok) return;
  if (/effective user ID|unshare/.test(said))
    throw embeddedErrors.postgres_account_missing({ detail: said.trim() });
  throw programError('database_creation_failed', home, said);
}

/** In single-user mode, because nobody may log in as the superuser. One line is one statement. */
async function addLogin(
  fresh: string,
  { runner, programs }: Means,
  password: string,
  home: string,
): Promise<void> {
  const statements = [
    `create role ${LOGIN} login createdb createrole password '${password}'`,
    `grant pg_read_all_stats to ${LOGIN}`,
    `create database ${DATABASE} owner ${LOGIN}`,
  ];
  const child = runner.start(
    programs.postgres,
    ['--single', '-D', runner.reach(fresh), '-c', 'log_min_error_statement=panic', 'postgres'],
    { input: 'pipe', needsName: true },
  );
  const { ok, said } = await outcome(child, `${statements.join(';\n')};\n`);
  if (!ok || /^.*(?:ERROR|FATAL|PANIC): /m.test(said))
    throw programError('database_creation_failed', home, said);
}

/** The password lies beside the database, is written before it, and is used again by a second try. */
async function makePassword({ layout, owner }: Home): Promise<string> {
  const present = await readPassword(layout.password);
  if (present !== undefined) return present;
  const password = randomBytes(32).toString('hex');
  await rm(layout.password, { force: true });
  await writeDurably(layout.password, `${password}\n`, constants.O_CREAT | constants.O_EXCL);
  await giveTo(layout.password, owner);
  return password;
}

/** The password in the file, or undefined when there is none or only a part. */
export async function readPassword(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (asSystemError(error).code === 'ENOENT') return '';
    throw directoryError(error, path);
  });
  return /^([0-9a-f]{64})\n$/.exec(text)?.[1];
}

async function writeDurably(path: string, text: string, flags: number): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW | flags, 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
