import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { commandBlocks, fileLinks, fillIn, isServer, npmScripts } from './readme.ts';
import { ROOT } from './root.ts';

const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'ARCHITECTURE.md'];

test('finds the blocks a reader would paste, and no others', () => {
  const text = 'a\n```sh\nnpm start\n```\n```json\n{}\n```\n```bash\none\ntwo\n```\n';
  assert.deepEqual(commandBlocks(text), [
    { line: 2, text: 'npm start' },
    { line: 8, text: 'one\ntwo' },
  ]);
});

test('tells a command that stays from one that ends', () => {
  const staying = ['npm start', 'git clone x && cd x\nnpm start  # the hub', 'LINKSPAN_PORT=0 npm start'];
  const ending = ['npm test', 'echo npm start', 'npm run start-nothing'];
  for (const text of staying) assert.ok(isServer({ line: 1, text }), text);
  for (const text of ending) assert.ok(!isServer({ line: 1, text }), text);
});

test('puts the hub at hand in place of the one in the text', () => {
  const hub = { address: 'http://127.0.0.1:81', token: 'lsp_real' };
  assert.equal(
    fillIn("curl -H 'Authorization: Bearer lsp_…' http://127.0.0.1:7004/api", hub),
    "curl -H 'Authorization: Bearer lsp_real' http://127.0.0.1:81/api",
  );
});

for (const document of DOCUMENTS) {
  test(`${document} names scripts and files that exist`, async () => {
    const text = await readFile(join(ROOT, document), 'utf8');
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
    for (const script of npmScripts(text)) assert.ok(script in scripts, `npm run ${script}`);
    for (const link of fileLinks(text)) assert.ok(existsSync(join(ROOT, dirname(document), link)), link);
  });
}

test('the README says how to start and how to test', async () => {
  const blocks = commandBlocks(await readFile(join(ROOT, 'README.md'), 'utf8'));
  const scripts = blocks.flatMap(({ text }) => npmScripts(text));
  assert.ok(scripts.includes('start') && scripts.includes('test'));
});
