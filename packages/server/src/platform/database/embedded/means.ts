import { rm } from 'node:fs/promises';
import { embeddedErrors } from './errors.ts';
import type { Home } from './home.ts';
import { isRoot } from './ownership.ts';
import { placesOf, type Package, type Programs } from './programs.ts';
import { chooseRunner, outcome, type Runner } from './runner.ts';

/** What it takes to run PostgreSQL on this machine: programs, an account, and which major version they are. */
export interface Means {
  readonly programs: Programs;
  readonly runner: Runner;
  /** `18` */
  readonly major: string;
}

/**
 * Finds an account and a place from which it can run the programs. Each candidate is tried out.
 *
 * @throws HubError `postgres_account_missing`, `postgres_programs_unusable`, `platform_not_supported`.
 */
export async function findMeans(home: Home, from: Package): Promise<Means> {
  const runner = await chooseRunner(home);
  const complaints: string[] = [];
  for (const place of placesOf(from, isRoot() ? undefined : home.layout.postgres)) {
    try {
      return await tryOut(runner, await place());
    } catch (error) {
      complaints.push((error as Error).message);
    }
  }
  await runner.close();
  throw unusable(complaints);
}

/** A copy that does not run is of no use: its folder may forbid programs. */
async function tryOut(runner: Runner, programs: Programs): Promise<Means> {
  try {
    return { programs, runner, major: await majorOf(runner, programs) };
  } catch (error) {
    if (programs.copy !== undefined) await rm(programs.copy, { recursive: true, force: true });
    throw error;
  }
}

async function majorOf(runner: Runner, programs: Programs): Promise<string> {
  const { said } = await outcome(runner.start(programs.postgres, ['--version']));
  const major = /^postgres \(PostgreSQL\) (\d+)/.exec(said)?.[1];
  if (major === undefined) throw new Error(said.trim() || 'postgres --version said nothing');
  return major;
}

/** "No such file" about a program that is there is about its loader: this is no glibc. */
function unusable(complaints: readonly string[]): Error {
  const detail = [...new Set(complaints)].join('; ');
  const kind = complaints.every((text) => text.includes('ENOENT'))
    ? 'platform_not_supported'
    : 'postgres_programs_unusable';
  return embeddedErrors[kind]({ detail });
}
