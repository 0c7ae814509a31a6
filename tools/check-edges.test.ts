import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { checkEdges } from './edges/tree.ts';

/** A small house; a test adds the files it is about. */
const HOUSE: Readonly<Record<string, string>> = {
  'package.json': '{ "name": "linkspan", "devDependencies": { "fast-check": "1" } }',
  'packages/sdk/package.json': '{ "name": "@linkspan/sdk" }',
  'packages/connectors/package.json':
    '{ "name": "@linkspan/connectors", "dependencies": { "@linkspan/sdk": "1", "@linkspan/server": "1" } }',
  'packages/server/package.json':
    '{ "name": "@linkspan/server", "dependencies": { "pg": "1", "@linkspan/sdk": "1", "@linkspan/connectors": "1" } }',
  'packages/server/src/config.ts': 'export const port = process.env.PORT;',
  'packages/server/src/platform/clock.ts': 'export const now = 1;',
  'packages/server/src/platform/seal/index.ts': "export { open } from './open.ts';",
  'packages/server/src/platform/seal/open.ts': 'export const open = 1;',
  'packages/server/src/audit/index.ts': "export { record } from './store.ts';",
  'packages/server/src/audit/store.ts': 'export const record = 1;',
  'packages/server/src/access/index.ts': "export { token } from './token.ts';",
  'packages/server/src/access/token.ts': 'export const token = 1;',
  'packages/server/test/support/hub.ts': 'export const hub = 1;',
};

async function faultsOf(t: TestContext, added: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const root = await mkdtemp(join(tmpdir(), 'linkspan-edges-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries({ ...HOUSE, ...added })) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return (await checkEdges(root)).faults;
}

const src = (path: string): string => `packages/server/src/${path}`;

const RIGHT: readonly [file: string, text: string][] = [
  [src('audit/more.ts'), "import './store.ts';"],
  [src('audit/more.ts'), "import '../platform/clock.ts'; import '../platform/seal/index.ts';"],
  [src('access/more.ts'), "import '../audit/index.ts';"],
  [src('access/more.ts'), "import 'pg'; import 'node:fs'; import '@linkspan/sdk/testing';"],
  [src('platform/log/index.ts'), "import '../seal/index.ts'; import '../clock.ts';"],
  [src('compose.ts'), "import './config.ts'; import './access/index.ts'; import '@linkspan/connectors';"],
  [src('main.ts'), "import './compose.ts'; import './config.ts';"],
  [src('config.ts'), "import './platform/clock.ts'; export const e = process.env.X;"],
  [src('audit/testing.ts'), "import '../../test/support/hub.ts'; import '../access/index.ts';"],
  [src('audit/store.test.ts'), "import './store.ts'; import '../access/index.ts'; import 'fast-check';"],
  [src('audit/store.test.ts'), "import '../../test/support/hub.ts'; export const e = process.env.X;"],
  ['packages/server/test/hub.test.ts', "import './support/hub.ts'; import '../src/access/token.ts';"],
  ['packages/connectors/src/http/actions.ts', "import '@linkspan/sdk'; import '../other.ts';"],
  ['tools/check.ts', "import '../packages/server/src/audit/store.ts'; export const e = process.env.X;"],
];

for (const [file, text] of RIGHT) {
  test(`may: ${file} ${text}`, async (t) => {
    assert.deepEqual(await faultsOf(t, { [src('compose.ts')]: '', [file]: text }), []);
  });
}

const WRONG: readonly [file: string, text: string, fault: RegExp][] = [
  [src('platform/more.ts'), "import '../audit/index.ts';", /audit stands right of platform/],
  [src('audit/more.ts'), "import '../access/index.ts';", /access stands right of audit/],
  [src('audit/more.ts'), "import type { token } from '../access/index.ts';", /right of/],
  [src('audit/more.ts'), "export { token } from '../access/index.ts';", /right of/],
  [src('audit/more.ts'), "export * from '../access/index.ts';", /right of/],
  [src('audit/more.ts'), "export const later = () => import('../access/index.ts');", /right of/],
  [src('audit/more.ts'), 'export const later = () => import(`../access/index.ts`);', /right of/],
  [src('audit/more.ts'), "export type T = import('../access/index.ts').T;", /right of/],
  [src('access/more.ts'), "import '../audit/store.ts';", /only audit\/index.ts is open/],
  [src('access/more.ts'), "import '../platform/seal/open.ts';", /used through its index.ts/],
  [src('platform/log.ts'), "import './seal/open.ts';", /used through its index.ts/],
  [src('access/more.ts'), "import '../compose.ts';", /may not know what puts it together/],
  [src('access/more.ts'), "import '../config.ts';", /may not know what puts it together/],
  [src('config.ts'), "import './audit/index.ts';", /audit stands right of/],
  [src('config.ts'), "import './compose.ts';", /config.ts may not know/],
  [src('helpers.ts'), "import './platform/clock.ts';", /helpers.ts is not on the line/],
  [src('access/more.ts'), "import '../audit/testing.ts';", /a test may not be imported/],
  [src('access/more.ts'), "import '../audit/store.testing.ts';", /a test may not be imported/],
  [src('compose.ts'), "import './access/token.ts';", /only access\/index.ts is open/],
  [src('compose.ts'), "import './main.ts';", /nothing imports main.ts/],
  [src('nowhere/index.ts'), "import '../platform/clock.ts';", /nowhere is not on the line/],
  [src('access/more.ts'), "import './token.test.ts';", /a test may not be imported/],
  [src('access/more.ts'), "import '../../test/support/hub.ts';", /a test may not be imported/],
  [src('access/more.ts'), "import '../../../sdk/src/index.ts';", /by its name/],
  [src('access/more.ts'), "import '../../../../tools/x.ts';", /reach into the tools/],
  [src('access/more.ts'), "import '../../../../../elsewhere.ts';", /outside of the repository/],
  [src('access/more.ts'), "import '/etc/x.ts';", /absolute/],
  [src('access/more.ts'), "import '@linkspan/connectors';", /only compose.ts names the connectors/],
  [src('access/more.ts'), "import 'undici';", /undici is not declared/],
  [src('access/more.ts'), "import '@scope/thing/part';", /@scope\/thing is not declared/],
  [src('access/more.ts'), "import 'fast-check';", /for development only/],
  [src('access/more.ts'), "import 'fs/promises';", /write node:fs\/promises/],
  [src('access/more.ts'), 'export const e = process.env.X;', /only config.ts reads/],
  [src('access/more.ts'), "export const e = process['env'];", /only config.ts reads/],
  [src('access/more.ts'), 'const { env } = process; export { env };', /only config.ts reads/],
  [src('access/more.ts'), "import { env } from 'node:process'; export { env };", /only config.ts reads/],
  ['packages/sdk/src/index.ts', "import '@linkspan/connectors';", /sdk may not import connectors/],
  ['packages/connectors/src/index.ts', "import '@linkspan/server';", /connectors may not import server/],
  ['tools/check.ts', "import 'pg';", /pg is not declared/],
  [src('audit/store.ts'), "import './index.ts';", /ring: /],
];

for (const [file, text, fault] of WRONG) {
  test(`may not: ${file} ${text}`, async (t) => {
    const faults = await faultsOf(t, { [src('compose.ts')]: '', [file]: text });
    assert.equal(faults.length, 1, faults.join('\n'));
    const found = faults[0] ?? '';
    assert.match(found, fault);
    assert.ok(found.startsWith(file) || found.startsWith('ring: '), found);
  });
}

test('finds a ring over several files once, and names all of them', async (t) => {
  const faults = await faultsOf(t, {
    [src('access/a.ts')]: "import './b.ts';",
    [src('access/b.ts')]: "import type { c } from './c.ts';",
    [src('access/c.ts')]: "import './a.ts';",
    [src('access/d.ts')]: "import './a.ts'; import './b.ts';",
  });
  assert.equal(faults.length, 1);
  assert.match(faults[0]!, /a\.ts → \S+b\.ts → \S+c\.ts → \S+a\.ts$/);
});

test('does not take a file it cannot read for a harmless one', async (t) => {
  await assert.rejects(faultsOf(t, { [src('access/a.ts')]: 'import {' }), /a\.ts does not parse/);
});
