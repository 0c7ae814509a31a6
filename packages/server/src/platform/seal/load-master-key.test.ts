import assert from 'node:assert/strict';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { loadMasterKey } from './load-master-key.ts';
import { makeKeyFile } from './key-file.ts';

const KEY = 'ab'.repeat(32);

async function keyFile(t: TestContext, text?: string, mode = 0o600): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'linkspan-key-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'master.key');
  if (text !== undefined) await writeFile(file, text);
  if (text !== undefined) await chmod(file, mode);
  return file;
}

const load = (file: string, make = false) => loadMasterKey({ file, make });
const isRoot = process.geteuid?.() === 0;

describe('loading the master key', () => {
  it('makes a key file on demand that only its owner may read, and finds it again', async (t) => {
    const file = await keyFile(t);
    const made = await load(file, true);
    assert.equal(made.origin, 'made');
    assert.match(await readFile(file, 'utf8'), /^[0-9a-f]{64}\n$/);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(join(file, '..')), ['master.key']);
    const found = await load(file, true);
    assert.deepEqual([found.origin, found.master.id], ['file', made.master.id]);
  });

  it('makes no key without the order to', async (t) => {
    const file = await keyFile(t);
    await assert.rejects(load(file), { code: 'master_key_missing', message: new RegExp(file) });
    assert.deepEqual(await readdir(join(file, '..')), []);
  });

  it('lets one of many makers win, and gives all of them its key', async (t) => {
    const file = await keyFile(t);
    const loaded = await Promise.all(Array.from({ length: 20 }, () => load(file, true)));
    assert.equal(new Set(loaded.map(({ master }) => master.id)).size, 1);
    assert.deepEqual(await readdir(join(file, '..')), ['master.key']);
  });

  it('never replaces a key file', async (t) => {
    const file = await keyFile(t, KEY);
    await makeKeyFile(file);
    assert.equal(await readFile(file, 'utf8'), KEY);
  });

  it('prefers the configured key and does not look at the file then', async (t) => {
    const file = await keyFile(t, 'garbage', 0o666);
    const { origin } = await loadMasterKey({ given: KEY, file, make: true });
    assert.equal(origin, 'given');
    await assert.rejects(loadMasterKey({ given: 'x', file, make: true }), { code: 'master_key_invalid' });
  });

  for (const mode of [0o640, 0o604, 0o660, 0o610, 0o601, 0o644, 0o602]) {
    it(`refuses a key file of mode 0${mode.toString(8)}`, async (t) => {
      const file = await keyFile(t, KEY, mode);
      await assert.rejects(load(file), { code: 'master_key_exposed', message: /has mode 06\d\d, not 0600/ });
    });
  }

  it('refuses a key file of another user', async (t) => {
    const file = isRoot ? await keyFile(t, KEY) : '/etc/passwd';
    if (isRoot) await chown(file, 65_534, 65_534);
    await assert.rejects(load(file), { code: 'master_key_exposed', message: /belongs to user \d+, but/ });
  });

  it('looks at what a link leads to', async (t) => {
    const open = await keyFile(t, KEY, 0o644);
    const file = await keyFile(t);
    await symlink(open, file);
    await assert.rejects(load(file), { code: 'master_key_exposed' });
    await chmod(open, 0o600);
    assert.equal((await load(file)).origin, 'file');
  });

  it('makes no key behind a link that leads nowhere', async (t) => {
    const file = await keyFile(t);
    await symlink(`${file}.elsewhere`, file);
    await assert.rejects(load(file, true), { code: 'master_key_unusable' });
    assert.deepEqual(await readdir(join(file, '..')), ['master.key']);
  });

  it('refuses what is no plain file', async (t) => {
    const file = await keyFile(t);
    await mkdir(file);
    await assert.rejects(load(file, true), { code: 'master_key_exposed', message: /not a plain file/ });
  });

  it('refuses a file too large for a key, and one that holds none, without showing it', async (t) => {
    const canary = 'canary'.repeat(200);
    await assert.rejects(load(await keyFile(t, canary)), {
      code: 'master_key_invalid',
      message: /1200 bytes/,
    });
    for (const text of ['', '\n', 'canary', `${KEY}${KEY}`]) {
      await assert.rejects(load(await keyFile(t, text), true), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'master_key_invalid');
        assert.doesNotMatch(error.message, /canary|abab/);
        return true;
      });
    }
  });

  it('says what is wrong where no key file can be made', async (t) => {
    const file = await keyFile(t, KEY);
    const within = { code: 'master_key_unusable', message: /not a directory/ };
    await assert.rejects(load(join(file, 'master.key'), true), within);
  });

  it('makes the directory of a key file with it', async (t) => {
    const file = join(dirname(await keyFile(t, KEY)), 'new', 'data', 'master.key');
    assert.equal((await load(file, true)).origin, 'made');
    assert.equal((await load(file, false)).origin, 'file');
  });
});
