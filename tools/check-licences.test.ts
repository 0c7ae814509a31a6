import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { checkLicences, isAllowed } from './licences.ts';

async function look(t: TestContext, files: Readonly<Record<string, unknown>>, locked = {}) {
  const root = await mkdtemp(join(tmpdir(), 'linkspan-licences-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const all = { ...files, 'package-lock.json': { packages: locked } };
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), JSON.stringify(content));
  }
  return checkLicences(root);
}

test('counts what is installed, nested and scoped packages too', async (t) => {
  const { packages, faults } = await look(t, {
    'node_modules/a/package.json': { name: 'a', version: '1', license: 'MIT' },
    'node_modules/a/node_modules/b/package.json': { name: 'b', version: '1', license: 'ISC' },
    'node_modules/@s/c/package.json': { name: '@s/c', version: '1', license: 'Apache-2.0' },
    'node_modules/a/fixtures/package.json': { name: 'not a package' },
  });
  assert.deepEqual({ packages, faults }, { packages: 3, faults: [] });
});

for (const place of [
  'node_modules/x',
  'node_modules/@s/x',
  'node_modules/a/node_modules/x',
  'packages/p/node_modules/x',
])
  test(`finds a foreign licence in ${place}`, async (t) => {
    const { faults } = await look(t, {
      [`${place}/package.json`]: { name: 'x', version: '2', license: 'AGPL-3.0-only' },
    });
    assert.deepEqual(faults, ['x@2: "AGPL-3.0-only"']);
  });

test('finds a package without a licence', async (t) => {
  const { faults } = await look(t, { 'node_modules/x/package.json': { name: 'x', version: '2' } });
  assert.deepEqual(faults, ['x@2: no licence']);
});

test('finds what the lockfile holds for another platform', async (t) => {
  const { faults } = await look(t, {}, { 'node_modules/x': { version: '2', license: 'SSPL-1.0' } });
  assert.deepEqual(faults, ['x@2: "SSPL-1.0"']);
});

test('believes the package, not the lockfile', async (t) => {
  const { faults } = await look(
    t,
    { 'node_modules/x/package.json': { name: 'x', version: '2', license: 'BUSL-1.1' } },
    { 'node_modules/x': { version: '2', license: 'MIT' } },
  );
  assert.equal(faults.length, 1);
});

test('reads expressions', () => {
  assert.ok(isAllowed('(MIT OR GPL-3.0-only)'));
  assert.ok(isAllowed('MIT AND BSD-3-Clause'));
  assert.ok(!isAllowed('MIT AND GPL-3.0-only'));
  assert.ok(!isAllowed('SEE LICENSE IN LICENSE.md'));
  assert.ok(!isAllowed(undefined));
});
