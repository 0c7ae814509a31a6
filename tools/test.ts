import { glob, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { startTestServer } from '../packages/server/test/support/test-server.ts';
import { allowedSkips } from './allowed-skips.ts';
import { ROOT } from './root.ts';
import { runTests } from './test-run.ts';

/**
 *     test                 every test but the long ones
 *     test --long          the long ones
 *     test <path…>         those of files and folders, the long ones of a folder left out
 *
 * One PostgreSQL serves all of them; each test makes its own databases on it.
 */
const SERVER_URL = 'LINKSPAN_TEST_DATABASE_URL';
const TREE = '{packages/*/{src,test},tools,bench}/**/*.test.ts';

const args = process.argv.slice(2);
const long = args.includes('--long');
const paths = args.filter((arg) => arg !== '--long');
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

const files = paths.length === 0 ? await find(ROOT, TREE) : (await Promise.all(paths.map(named))).flat();
const server = process.env[SERVER_URL] ? undefined : await startTestServer();
if (server) process.env[SERVER_URL] = server.url;
try {
  const faults = await runTests({
    files,
    long: long || files.some(isLong),
    root: ROOT,
    allowedSkips,
    print: (text) => void process.stdout.write(text),
    signal: interrupted.signal,
  });
  if (faults.length > 0) process.exitCode = 1;
} finally {
  await server?.stop();
}

async function find(folder: string, pattern: string): Promise<string[]> {
  const found = await Array.fromAsync(glob(pattern, { cwd: folder }));
  return found
    .filter((file) => isLong(file) === long)
    .toSorted()
    .map((file) => join(folder, file));
}

/** The test files a path names. A path that names none is a mistake, not an empty success. */
async function named(path: string): Promise<string[]> {
  const full = resolve(ROOT, path);
  const found = (await stat(full)).isDirectory() ? await find(full, '**/*.test.ts') : [full];
  if (found.length === 0) throw new Error(`There is no test in ${path}.`);
  return found;
}

function isLong(file: string): boolean {
  return file.endsWith('.long.test.ts');
}
