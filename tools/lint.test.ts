import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { test, type TestContext } from 'node:test';
import { ROOT } from './root.ts';

/** What the linter says of a file, under the rules of this repository. */
async function lint(t: TestContext, text: string): Promise<{ passed: boolean; output: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'linkspan-lint-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const file of ['.oxlintrc.json', 'package.json']) await copyFile(join(ROOT, file), join(folder, file));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const options = {
    compilerOptions: { strict: true, target: 'es2024', module: 'nodenext', types: ['node'] },
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(options));
  await writeFile(join(folder, 'file.ts'), text);
  const linter = join(ROOT, 'node_modules/oxlint/bin/oxlint');
  return new Promise((resolve) => {
    execFile(process.execPath, [linter, '--deny-warnings', 'file.ts'], { cwd: folder }, (error, stdout) =>
      resolve({ passed: error === null, output: stdout }),
    );
  });
}

test('lets a clean file pass', async (t) => {
  const { passed, output } = await lint(t, 'export const one: number = 1;\n');
  assert.ok(passed, output);
});

test('knows the types: a promise nobody waits for is found', async (t) => {
  const { passed, output } = await lint(t, 'async function f(): Promise<void> {}\nf();\n');
  assert.ok(!passed);
  assert.match(output, /no-floating-promises/);
});

test('refuses any', async (t) => {
  const { output } = await lint(t, 'export const x: any = 1;\n');
  assert.match(output, /no-explicit-any/);
});
