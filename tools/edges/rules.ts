import { builtinModules } from 'node:module';
import type { Place } from './place.ts';

/** The line of the server. A domain sees those further left, through their `index.ts`. */
const LINE = [
  'platform',
  'audit',
  'access',
  'events',
  'sandbox',
  'catalog',
  'connections',
  'hosts',
  'calls',
  'triggers',
  'apps',
  'flows',
  'hooks',
  'dialects',
];

/** Files at the root of the server's `src` that stand right of every domain and put them together. */
const ASSEMBLY = new Set(['compose.ts', 'main.ts', 'error-catalogue.ts']);

/** Which packages of ours a package may name. The server's own use of the connectors is `compose.ts`' alone. */
const OWN_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  sdk: [],
  connectors: ['sdk'],
  server: ['sdk', 'connectors'],
  elements: ['sdk'],
  console: ['sdk', 'elements'],
};

/** What is wrong with one file importing another, or undefined. */
export function edgeFault(from: Place, to: Place): string | undefined {
  if (from.package === undefined) return undefined;
  if (to.package === undefined) return 'a package may not reach into the tools';
  if (from.package !== to.package) return 'another package is imported by its name, not by its path';
  if (to.isTest && !from.isTest) return 'a test may not be imported by what it tests';
  if (from.package !== 'server' || from.domain === undefined) return undefined;
  if (to.domain === undefined) return to.isTest ? undefined : 'this lies outside of src';
  return from.domain === to.domain ? inside(from, to) : between(from, to);
}

/** Within a domain everything is open, except that the folders of the platform are used through their index. */
function inside(from: Place, to: Place): string | undefined {
  if (from.domain === '') return rootFault(from, to);
  return from.folder === to.folder ? undefined : behindIndex(to);
}

function between(from: Place, to: Place): string | undefined {
  if (to.domain === '') return from.isTest ? undefined : 'a domain may not know what puts it together';
  const at = LINE.indexOf(to.domain!);
  if (at < 0) return `${to.domain} is not on the line: add it to LINE in tools/edges/rules.ts`;
  const own = from.domain === '' ? rankOfRoot(from) : LINE.indexOf(from.domain!);
  if (own < 0)
    return `${from.domain || from.path} is not on the line: add it to LINE in tools/edges/rules.ts`;
  if (at > own && !from.isTest)
    return `${to.domain} stands right of ${from.domain || 'this file'} on the line`;
  return to.domain === 'platform' ? behindIndex(to) : onlyIndex(to);
}

function rankOfRoot(from: Place): number {
  if (nameOf(from) === 'config.ts') return LINE.indexOf('platform');
  return from.isTest || ASSEMBLY.has(nameOf(from)) ? LINE.length : -1;
}

/** Only what starts the hub knows its settings; parts are handed what they need. */
function rootFault(from: Place, to: Place): string | undefined {
  if (from.isTest) return undefined;
  if (!ASSEMBLY.has(nameOf(from))) return `${nameOf(from)} may not know what puts the hub together`;
  if (nameOf(to) === 'main.ts') return 'nothing imports main.ts';
  return undefined;
}

function onlyIndex(to: Place): string | undefined {
  return to.isIndex && to.folder === '' ? undefined : `only ${to.domain}/index.ts is open to other domains`;
}

function behindIndex(to: Place): string | undefined {
  if (to.domain !== 'platform' || !to.hasIndex || to.isIndex || to.isTest) return undefined;
  return `platform/${to.folder} is used through its index.ts`;
}

function nameOf(place: Place): string {
  return place.path.slice(place.path.lastIndexOf('/') + 1);
}

/** Packages a file may name: those its workspace declares, and in tests and tools those for development. */
export interface Declared {
  readonly production: ReadonlySet<string>;
  readonly development: ReadonlySet<string>;
}

/** What is wrong with importing a package or a part of Node, or undefined. */
export function packageFault(from: Place, specifier: string, declared: Declared): string | undefined {
  if (specifier.startsWith('node:')) return undefined;
  if (builtinModules.includes(specifier)) return `write node:${specifier}`;
  const name = packageName(specifier);
  const ours = /^@linkspan\/(.+)$/.exec(name)?.[1];
  const fault = ours && from.package !== undefined ? ownPackageFault(from, ours) : undefined;
  if (fault) return fault;
  if (declared.production.has(name)) return undefined;
  if (!declared.development.has(name)) return `${name} is not declared in the package.json beside it`;
  return from.isTest || from.package === undefined ? undefined : `${name} is declared for development only`;
}

function ownPackageFault(from: Place, ours: string): string | undefined {
  if (!OWN_PACKAGES[from.package!]?.includes(ours)) return `${from.package} may not import ${ours}`;
  const composes = from.isTest || from.path.endsWith('/src/compose.ts');
  return ours === 'connectors' && !composes ? 'only compose.ts names the connectors' : undefined;
}

function packageName(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}
