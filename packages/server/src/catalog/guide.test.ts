import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { Connector } from '@linkspan/sdk';
import { createCatalog } from './index.ts';

/** The connector of `docs/writing-a-connector.md`, taken from the page as a reader would take it. */

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const run = promisify(execFile);

/** The two files of the page, in a directory of their own. */
async function written(t: TestContext): Promise<{ dir: string; lines: number }> {
  const page = await readFile(join(ROOT, 'docs/writing-a-connector.md'), 'utf8');
  const files = [...page.matchAll(/^`acme\/([\w.]+)`:\n\n```ts\n([^]*?)^```$/gm)];
  assert.deepEqual(
    files.map(([, name]) => name),
    ['connector.ts', 'acme.test.ts'],
  );
  const dir = await mkdtemp(join(tmpdir(), 'linkspan-guide-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  for (const [, name = '', text = ''] of files) await writeFile(join(dir, name), text);
  await writeFile(join(dir, 'package.json'), '{ "type": "module" }');
  const config = { extends: join(ROOT, 'tsconfig.json'), include: ['*.ts'] };
  await writeFile(join(dir, 'tsconfig.json'), JSON.stringify(config));
  return { dir, lines: files[0]?.[2]?.split('\n').length ?? 0 };
}

test('the connector of the guide is short, compiles, passes the suite and stands in the catalog', async (t) => {
  const { dir, lines } = await written(t);
  assert.ok(lines > 20 && lines < 80, String(lines));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '-p', dir]).catch((error: { stdout: string }) =>
    assert.fail(error.stdout),
  );

  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const suite = [
    process.execPath,
    ['--test', '--test-reporter=tap', join(dir, 'acme.test.ts')],
    { env },
  ] as const;
  const { stdout } = await run(...suite).catch((error: { stdout: string }) => assert.fail(error.stdout));
  assert.match(stdout, /^# pass 5$/m);

  const { connector } = (await import(pathToFileURL(join(dir, 'connector.ts')).href)) as {
    connector: Connector;
  };
  const action = createCatalog([connector]).action('acme/create-ticket');
  assert.deepEqual(action.secretPaths, ['/token']);
  assert.equal(action.target({ site: 'demo' }), 'demo.acme.example');
  assert.deepEqual(Object.keys(action.input['properties'] as object), ['site', 'token', 'title', 'urgent']);
});

test('what the guide leaves to the compiler, the compiler refuses', async (t) => {
  const { dir } = await written(t);
  const path = join(dir, 'connector.ts');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace("ctx.fail('busy'", "ctx.fail('bussy'"));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  await assert.rejects(run(process.execPath, [tsc, '-p', dir]), ({ stdout }: { stdout: string }) =>
    stdout.includes('bussy'),
  );
});
