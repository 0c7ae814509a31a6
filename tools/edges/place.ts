/** Where a file stands in the house, read from its path relative to the root. */
export interface Place {
  readonly path: string;
  /** `server`, `sdk`, … for a file of a package; undefined for tools and the like, which may use everything. */
  readonly package?: string;
  /** Part of the package's `src`: a domain's folder, or '' for a file at its root; undefined outside `src`. */
  readonly domain?: string;
  /** Folder within the domain (`platform/database` → `database`), '' at the domain's root. */
  readonly folder: string;
  /** Whether that folder has an `index.ts`. */
  readonly hasIndex: boolean;
  readonly isIndex: boolean;
  /** A test, or what tests share: `*.contract.ts`, `testing.ts`, `*.testing.ts`, `test/`. */
  readonly isTest: boolean;
}

/** @param files every file there is, to see which folders have an index. */
export function placeOf(path: string, files: ReadonlySet<string>): Place {
  const [packages, name, src, ...rest] = path.split('/');
  const place = {
    path,
    folder: '',
    hasIndex: false,
    isIndex: path.endsWith('/index.ts'),
    isTest: /(?:\.test|\.contract|[./]testing)\.ts$/.test(path),
  };
  if (packages !== 'packages' || name === undefined) return place;
  if (src !== 'src') return { ...place, package: name, isTest: src === 'test' };
  const [domain = '', folder = ''] = rest.slice(0, -1);
  const hasIndex = files.has(`packages/${name}/src/${domain}/${folder}/index.ts`);
  return { ...place, package: name, domain, folder, hasIndex };
}
