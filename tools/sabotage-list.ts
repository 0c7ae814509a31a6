import { readFile, glob } from 'node:fs/promises';
import { join } from 'node:path';
import { parseSource } from './edges/source.ts';

/** One line broken on purpose, kept as `sabotage/<name>.json`. */
export interface Sabotage {
  readonly name: string;
  /** The promise or security rule that is broken. */
  readonly promise: string;
  /** From the root. */
  readonly file: string;
  /** What is replaced: text that occurs once in the file. */
  readonly line: string;
  readonly becomes: string;
  /** Test files, at least one of which must turn red. */
  readonly tests: readonly string[];
}

const FIELDS = ['promise', 'file', 'line', 'becomes'] as const;

/** Every sabotage below `root`, or those named. */
export async function readSabotages(root: string, names: readonly string[] = []): Promise<Sabotage[]> {
  const files = (await Array.fromAsync(glob('*.json', { cwd: join(root, 'sabotage') }))).toSorted();
  const all = await Promise.all(
    files.map(async (file) => {
      const name = file.replace('.json', '');
      return checked(name, JSON.parse(await readFile(join(root, 'sabotage', file), 'utf8')));
    }),
  );
  const unknown = names.filter((name) => !all.some((sabotage) => sabotage.name === name));
  if (unknown.length > 0) throw new Error(`There is no sabotage ${unknown.join(', ')}.`);
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

function checked(name: string, value: unknown): Sabotage {
  const entry = value as Sabotage;
  for (const field of FIELDS)
    if (typeof entry[field] !== 'string') throw new Error(`sabotage/${name}.json lacks "${field}".`);
  if (!Array.isArray(entry.tests) || entry.tests.length === 0)
    throw new Error(`sabotage/${name}.json names no tests.`);
  return { ...entry, name };
}

/**
 * The text of the file after the sabotage. It still has to be a program: a file that no longer parses turns every test
 * red and proves nothing.
 *
 * @throws when the line is not there exactly once, or the result does not parse.
 */
export function broken(sabotage: Sabotage, text: string): string {
  const { name, file, line, becomes } = sabotage;
  const found = text.split(line).length - 1;
  if (found !== 1 || line === becomes)
    throw new Error(
      `${name}: its line is found ${found} times in ${file}; it has to be there once and change.`,
    );
  const result = text.replace(line, () => becomes);
  if (/\.[cm]?[jt]s$/.test(file)) parseSource(file, result);
  return result;
}

/** Faults of sabotages that no longer fit the tree. */
export async function misfits(root: string, sabotages: readonly Sabotage[]): Promise<string[]> {
  const faults: string[] = [];
  for (const sabotage of sabotages)
    try {
      broken(sabotage, await readFile(join(root, sabotage.file), 'utf8'));
      for (const test of sabotage.tests) await readFile(join(root, test));
    } catch (error) {
      faults.push(`${sabotage.name}: ${(error as Error).message}`);
    }
  return faults;
}
