import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { permissionCatalogue } from '../src/access/index.ts';
import { auditVocabulary } from '../src/audit/index.ts';
import { openApiDocument } from '../src/compose.ts';
import { errorCatalogue } from '../src/error-catalogue.ts';
import { embeddedErrors } from '../src/platform/database/embedded/index.ts';
import { databaseErrors } from '../src/platform/database/index.ts';
import { sealErrors } from '../src/platform/seal/index.ts';

/** What the catalogues promise and what the hub does are the same. */

const document = await openApiDocument();
const operations = Object.values(
  document['paths'] as Record<string, Record<string, Record<string, unknown>>>,
).flatMap((methods) => Object.values(methods));

test('every permission is asked for by a route', () => {
  const asked = new Set(operations.map((operation) => operation['x-permission']));
  const unasked = Object.keys(permissionCatalogue).filter((permission) => !asked.has(permission));
  assert.deepEqual(unasked, []);
});

test('every audit entry is promised by a route or written by the hub itself', async () => {
  const promised = new Set(operations.map((operation) => operation['x-audit']));
  const rest = Object.keys(auditVocabulary).filter((name) => !promised.has(name));
  const source = await sourceBeside('../src/');
  assert.deepEqual(
    rest.filter((name) => !source.includes(`name: '${name}'`)),
    [],
  );
  assert.ok(promised.size > 1);
});

test('a code names one kind of error, for good: in small letters, with its help in whole sentences', () => {
  const codes = errorCatalogue.map(({ code }) => code);
  assert.deepEqual(
    codes.filter((code, index) => codes.indexOf(code) !== index),
    [],
  );
  for (const { code, status, title, help } of errorCatalogue) {
    assert.match(code, /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/);
    assert.ok(status >= 400 && status <= 599, code);
    assert.doesNotMatch(title, /\.$/, code);
    assert.match(help, /\.$/, code);
  }
});

test('every error of the house is in the catalogue', async () => {
  const source = await sourceBeside('../src/');
  const declared = [...source.matchAll(/^ {2}([a-z]+(?:_[a-z]+)*): \{\n {4}status: \d/gm)].map(
    ([, code]) => code,
  );
  const known = new Set(errorCatalogue.map(({ code }) => code));
  assert.ok(declared.length > 40, `${declared.length}`);
  assert.deepEqual(
    declared.filter((code) => !known.has(code ?? '')),
    [],
  );
});

test('docs/operation.md explains every error that can stop a start, and names none there is not', async () => {
  const page = await readFile(new URL('../../../docs/operation.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('## When it does not start'));
  const named = new Set([...table.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, code]) => code ?? ''));
  const codes = new Set(errorCatalogue.map(({ code }) => code));
  assert.deepEqual(
    [...named].filter((code) => !codes.has(code)),
    [],
  );
  // What is met while it runs, not at a start.
  const later = ['database_busy', 'database_full', 'seal_broken', 'seal_key_unknown'];
  const makers = { ...databaseErrors, ...embeddedErrors, ...sealErrors };
  assert.deepEqual(
    Object.keys(makers).filter((code) => !named.has(code) && !later.includes(code)),
    [],
  );
});

/** The program itself, without what tests it. */
async function sourceBeside(folder: string): Promise<string> {
  const cwd = new URL(folder, import.meta.url).pathname;
  const files = await Array.fromAsync(
    glob('**/*.ts', { cwd, exclude: ['**/*.test.ts', '**/*testing.ts', '**/*.contract.ts'] }),
  );
  return (await Promise.all(files.map((file) => readFile(`${cwd}${file}`, 'utf8')))).join('\n');
}
