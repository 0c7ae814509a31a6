import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { AllowedSkip } from './allowed-skips.ts';

interface Outcome {
  readonly faults: string[];
  readonly output: string;
}

/** Runs a file with this text, in a process of its own: a test runner cannot run inside a test. */
async function outcomeOf(
  t: TestContext,
  text: string | undefined,
  allowed: AllowedSkip[] = [],
): Promise<Outcome> {
  const root = await mkdtemp(join(tmpdir(), 'linkspan-run-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const files = text === undefined ? [] : [join(root, 'a.test.ts')];
  if (text !== undefined) await writeFile(files[0]!, `import { test } from 'node:test';\n${text}`);
  const script = `
    const { runTests } = await import(${JSON.stringify(import.meta.resolve('./test-run.ts'))});
    let output = '';
    const faults = await runTests({ files: ${JSON.stringify(files)}, long: false, root: ${JSON.stringify(root)},
      allowedSkips: ${JSON.stringify(allowed)}, print: (text) => void (output += text) });
    console.log(JSON.stringify({ faults, output }));`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  await writeFile(join(root, 'run.mjs'), script);
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'run.mjs')], { env });
  return JSON.parse(stdout) as Outcome;
}

test('is content with tests that pass, and closes with their counts', async (t) => {
  const { faults, output } = await outcomeOf(t, "test('a', () => {}); test('b', () => {});");
  assert.deepEqual(faults, []);
  assert.match(output, /ℹ tests 2\n.*ℹ pass 2\nℹ fail 0\n.*ℹ skipped 0\n.*ℹ duration_ms [\d.]+\n$/s);
});

test('finds a test that fails, and still closes with the counts', async (t) => {
  const { faults, output } = await outcomeOf(t, "test('a', () => { throw new Error('broken'); });");
  assert.deepEqual(faults, ['A test failed.']);
  assert.match(output, /broken.*ℹ fail 1\n.*ℹ duration_ms [\d.]+\n$/s);
});

test('finds a file that ends with an error', async (t) => {
  const { faults } = await outcomeOf(t, "test('a', () => {}); process.exitCode = 3;");
  assert.ok(faults.includes('A test failed.'));
});

test('refuses a skip that nobody allowed', async (t) => {
  const { faults } = await outcomeOf(t, "test('ok', () => {}); test('a', { skip: 'no reason' }, () => {});");
  assert.deepEqual(faults, ['Skipped and not listed in tools/allowed-skips.ts: a.test.ts: a']);
});

test('refuses a skip decided while the test runs', async (t) => {
  const { faults } = await outcomeOf(t, "test('a', (t) => t.skip());");
  assert.equal(faults.length, 1);
});

test('lets an allowed skip pass', async (t) => {
  const allowed = [{ file: 'a.test.ts', test: 'a', reason: 'needs a broker' }];
  const { faults } = await outcomeOf(t, "test('a', { skip: true }, () => {});", allowed);
  assert.deepEqual(faults, []);
});

test('refuses a test left to do', async (t) => {
  const { faults } = await outcomeOf(t, "test('ok', () => {}); test('a', { todo: true }, () => {});");
  assert.deepEqual(faults, ['Left to do: a.test.ts: a']);
});

test('refuses a file without a test', async (t) => {
  const { faults } = await outcomeOf(t, 'void test;');
  assert.deepEqual(faults, ['Not one test ran in a.test.ts']);
});

test('refuses a run without a file', async (t) => {
  const { faults } = await outcomeOf(t, undefined);
  assert.deepEqual(faults, ['Not one test ran.']);
});
