import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What anything installed may be licensed under: all of these let the hub be given on under Apache-2.0. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
]);

/** Packages whose `license` field says nothing usable, with what was read in the package itself. */
const BY_HAND: Readonly<Record<string, { licence: string; reason: string }>> = {};

/** What was looked at, and one line for each package that may not be here. */
export interface Licences {
  readonly packages: number;
  readonly faults: readonly string[];
}

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly license?: unknown;
}

/** Looks at every installed package, and at those the lockfile holds for other platforms. */
export async function checkLicences(root: string): Promise<Licences> {
  const lock = await readJson<{ packages: Record<string, Manifest & { link?: boolean }> }>(
    join(root, 'package-lock.json'),
  );
  const found = new Map<string, unknown>();
  for (const [place, entry] of Object.entries(lock.packages)) {
    if (!place.includes('node_modules/') || entry.link) continue;
    found.set(`${nameAt(place)}@${entry.version}`, entry.license);
  }
  for (const place of await installed(root)) {
    const {
      name = nameAt(place),
      version,
      license,
    } = await readJson<Manifest>(join(root, place, 'package.json'));
    found.set(`${name}@${version}`, license);
  }
  const faults = [...found].flatMap(([id, licence]) => {
    const known = BY_HAND[id.slice(0, id.lastIndexOf('@'))]?.licence ?? licence;
    return isAllowed(known) ? [] : [`${id}: ${known === undefined ? 'no licence' : JSON.stringify(known)}`];
  });
  return { packages: found.size, faults };
}

/** Folders of packages, also of those inside other packages; not every `package.json` is one. */
async function installed(root: string): Promise<string[]> {
  const places: string[] = [];
  for await (const modules of glob(
    ['node_modules', 'node_modules/**/node_modules', 'packages/*/node_modules'],
    {
      cwd: root,
    },
  ))
    for await (const name of glob(['[!.@]*', '@*/*'], { cwd: join(root, modules) })) {
      if (existsSync(join(root, modules, name, 'package.json'))) places.push(join(modules, name));
    }
  return places;
}

/** `MIT`, `(MIT OR GPL-3.0)`: one allowed side is enough; `MIT AND ISC`: every side. */
export function isAllowed(licence: unknown): boolean {
  if (typeof licence !== 'string') return false;
  const sides = licence.replaceAll(/[()]/g, '').split(/\s+OR\s+/);
  return sides.some((side) => side.split(/\s+AND\s+/).every((name) => ALLOWED.has(name.trim())));
}

function nameAt(place: string): string {
  return place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(file, 'utf8')) as T;
}
