import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startTestServer } from '../packages/server/test/support/test-server.ts';
import { report } from './report.ts';
import { ROOT } from './root.ts';
import { broken, misfits, readSabotages, type Sabotage } from './sabotage-list.ts';
import { copyTree } from './tree-copy.ts';

/**
 *     sabotage [name…]    breaks each promise in a copy of the tree and demands that a named test turns red
 *     sabotage --check    only looks whether each still fits the tree
 */
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

const args = process.argv.slice(2);
const sabotages = await readSabotages(
  ROOT,
  args.filter((arg) => arg !== '--check'),
);
const faults = await misfits(ROOT, sabotages);
if (args.includes('--check') || faults.length > 0) report('sabotage', { patches: sabotages.length }, faults);
else await breakEach();

async function breakEach(): Promise<void> {
  const server = await startTestServer();
  const copy = await copyTree(ROOT);
  try {
    const found = [
      ...(await redBefore(copy.path, sabotages, server.url)),
      ...(await unnoticed(copy.path, sabotages, server.url)),
    ];
    report('sabotage', { patches: sabotages.length }, found);
  } finally {
    await Promise.allSettled([copy.remove(), server.stop()]); // an interrupted test may still write into the copy
  }
}

/** A test that is red to begin with proves nothing. */
async function redBefore(copy: string, all: readonly Sabotage[], url: string): Promise<string[]> {
  const found: string[] = [];
  for (const test of new Set(all.flatMap(({ tests }) => tests)))
    if (!(await areGreen(copy, [test], url))) found.push(`${test} fails without any sabotage`);
  return found;
}

async function unnoticed(copy: string, all: readonly Sabotage[], url: string): Promise<string[]> {
  const found: string[] = [];
  for (const sabotage of all) {
    const file = join(copy, sabotage.file);
    const whole = await readFile(file, 'utf8');
    await writeFile(file, broken(sabotage, whole));
    // The shared server was made from the whole migrations; from broken ones each test makes its own.
    const server = sabotage.file.includes('/migrations/') ? undefined : url;
    const green = await areGreen(copy, sabotage.tests, server);
    await writeFile(file, whole);
    console.log(
      `${green ? '✖ not noticed' : '✔ turns red  '} ${sabotage.name.padEnd(40)} ${sabotage.promise}`,
    );
    if (green) found.push(`${sabotage.name}: ${sabotage.tests.join(', ')} stayed green`);
  }
  return found;
}

/** Plain node: the runner of `test.ts` may be what is broken. */
async function areGreen(copy: string, tests: readonly string[], url: string | undefined): Promise<boolean> {
  const { LINKSPAN_TEST_DATABASE_URL: _, ...env } = process.env;
  const options = {
    cwd: copy,
    env: url === undefined ? env : { ...env, LINKSPAN_TEST_DATABASE_URL: url },
    maxBuffer: 64 << 20,
    signal: interrupted.signal,
  };
  const nodeArgs = ['--test', '--test-timeout=120000', ...tests];
  const green = await promisify(execFile)(process.execPath, nodeArgs, options).then(
    () => true,
    () => false,
  );
  interrupted.signal.throwIfAborted();
  return green;
}
