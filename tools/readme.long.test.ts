import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { freshClone, inClone, startHub, TOKEN, type Clone } from './fresh-clone.ts';
import { commandBlocks, fillIn, isServer, type CommandBlock } from './readme.ts';
import { ROOT } from './root.ts';

test('every command of the README works in a fresh clone', async (t) => {
  const clone = await freshClone(t);
  const blocks = commandBlocks(await readFile(join(clone.path, 'README.md'), 'utf8'));
  assert.ok(blocks.some(isServer), 'the README starts no hub');
  const hub = await startHub(t, clone, 'npm start');
  const token = await hub.printed(TOKEN);
  for (const block of blocks) {
    const text = withoutServer(fillIn(block.text, { address: hub.address, token }));
    await t.test(`line ${block.line}: ${text}`, () => runBlock(clone, { ...block, text }, token));
  }
  assert.equal(await hub.stop(), 0, hub.output());
});

/** The hub runs already, and the clone is there: those lines of a block are done. */
function withoutServer(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/npm start\b|^git clone\b|^cd \S+$/.test(line))
    .join('\n');
}

async function runBlock(clone: Clone, block: CommandBlock, token: string): Promise<void> {
  const env = {
    ...clone.env,
    TOKEN: token,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: ROOT,
  };
  const shell = spawn('/bin/bash', ['-euo', 'pipefail', '-c', block.text], {
    ...inClone(clone),
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => void (output += text));
  const [code] = (await once(shell, 'close')) as [number | null];
  assert.equal(code, 0, `line ${block.line} of README.md:\n${output}`);
}
