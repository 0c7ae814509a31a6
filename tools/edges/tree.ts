import { glob, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { edgeFault, packageFault, type Declared } from './rules.ts';
import { placeOf, type Place } from './place.ts';
import { findRings } from './rings.ts';
import { readSource, type Source } from './source.ts';

const SOURCES = ['packages/*/{src,test,migrations}/**/*.{ts,tsx}', '{tools,bench,sabotage}/**/*.ts'];

/** What a look at the tree found. */
export interface Edges {
  readonly files: number;
  readonly imports: number;
  /** Each wrong edge as one line that names the file, the import and the rule. */
  readonly faults: readonly string[];
}

/** Looks at every import of every package and tool below `root`. */
export async function checkEdges(root: string): Promise<Edges> {
  const paths = (await Array.fromAsync(glob(SOURCES, { cwd: root }))).toSorted();
  const files = new Set(paths);
  const graph = new Map<string, string[]>();
  const faults: string[] = [];
  let imports = 0;
  for (const path of paths) {
    const place = placeOf(path, files);
    const source = await readSource(join(root, path));
    const declared = await readDeclared(root, place);
    imports += source.imports.length;
    graph.set(path, targetsOf(path, source));
    for (const specifier of source.imports) {
      const fault = isPath(specifier)
        ? pathFault(place, specifier, files)
        : packageFault(place, specifier, declared);
      if (fault) faults.push(`${path} → ${specifier}: ${fault}`);
    }
    if (source.readsEnvironment && !mayReadEnvironment(place))
      faults.push(`${path}: only config.ts reads the environment`);
  }
  for (const ring of findRings(graph)) faults.push(`ring: ${[...ring, ring[0]].join(' → ')}`);
  return { files: paths.length, imports, faults };
}

function isPath(specifier: string): boolean {
  return specifier.startsWith('.') || specifier.startsWith('/');
}

function targetsOf(path: string, source: Source): string[] {
  return source.imports.filter(isPath).map((specifier) => resolveFrom(path, specifier));
}

function resolveFrom(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier);
}

function pathFault(from: Place, specifier: string, files: ReadonlySet<string>): string | undefined {
  if (specifier.startsWith('/')) return 'an absolute path';
  const target = resolveFrom(from.path, specifier);
  if (target.startsWith('../')) return 'this lies outside of the repository';
  return edgeFault(from, placeOf(target, files));
}

function mayReadEnvironment(place: Place): boolean {
  return place.package !== 'server' || place.isTest || place.path === 'packages/server/src/config.ts';
}

interface Manifest {
  readonly name?: string;
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

/** The root's development packages serve the tests of every workspace. */
async function readDeclared(root: string, place: Place): Promise<Declared> {
  const house = await readManifest(join(root, 'package.json'));
  const own = place.package
    ? await readManifest(join(root, 'packages', place.package, 'package.json'))
    : house;
  const { name, dependencies, optionalDependencies, peerDependencies, devDependencies } = own;
  const production = { ...dependencies, ...optionalDependencies, ...peerDependencies };
  return {
    production: new Set([...Object.keys(production), ...(name ? [name] : [])]),
    development: new Set(Object.keys({ ...house.devDependencies, ...devDependencies })),
  };
}

async function readManifest(file: string): Promise<Manifest> {
  return JSON.parse(await readFile(file, 'utf8')) as Manifest;
}
