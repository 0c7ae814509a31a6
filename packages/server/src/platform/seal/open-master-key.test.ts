import assert from 'node:assert/strict';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openTestDatabase } from '../../../test/support/database.ts';
import type { Database } from '../database/index.ts';
import { openMasterKey } from './open-master-key.ts';

const [KEY, OTHER] = ['ab'.repeat(32), 'cd'.repeat(32)];

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'linkspan-key-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

async function keyFile(t: TestContext, text?: string): Promise<string> {
  const file = join(await folder(t), 'master.key');
  if (text !== undefined) await writeFile(file, text, { mode: 0o600 });
  return file;
}

async function storedCheck(database: Database): Promise<string | undefined> {
  const store = await database.acrossTenants((tx) =>
    tx.selectFrom('store').select('master_key_check').executeTakeFirstOrThrow(),
  );
  return store.master_key_check?.toString('hex');
}

describe('the master key of a database', () => {
  it('is made on the first start and required on every later one', async (t) => {
    const database = await openTestDatabase(t);
    const file = await keyFile(t);
    const first = await openMasterKey(database, { file });
    const check = await storedCheck(database);
    const second = await openMasterKey(database, { file });
    assert.deepEqual([first.origin, second.origin], ['made', 'file']);
    assert.equal(first.master.id, second.master.id);
    assert.equal(check, first.master.checkValue().toString('hex'));
    assert.equal(await storedCheck(database), check);
  });

  it('may be given instead of lying in a file', async (t) => {
    const database = await openTestDatabase(t);
    const file = await keyFile(t);
    await openMasterKey(database, { given: KEY, file });
    await assert.rejects(access(file), { code: 'ENOENT' });
    assert.equal((await openMasterKey(database, { file: await keyFile(t, KEY) })).origin, 'file');
  });

  it('that is missing stops the start, and none is made', async (t) => {
    const database = await openTestDatabase(t);
    const file = await keyFile(t);
    await openMasterKey(database, { file });
    await rm(file);
    await assert.rejects(openMasterKey(database, { file }), { code: 'master_key_missing' });
    await assert.rejects(access(file), { code: 'ENOENT' });
  });

  it('that is another stops the start and changes nothing', async (t) => {
    const database = await openTestDatabase(t);
    await openMasterKey(database, { given: KEY, file: await keyFile(t) });
    const check = await storedCheck(database);
    await assert.rejects(openMasterKey(database, { given: OTHER, file: await keyFile(t) }), {
      code: 'master_key_mismatch',
    });
    await assert.rejects(openMasterKey(database, { file: await keyFile(t, OTHER) }), {
      code: 'master_key_mismatch',
    });
    assert.equal(await storedCheck(database), check);
  });

  it('is not settled by a start that fails', async (t) => {
    const database = await openTestDatabase(t);
    await assert.rejects(openMasterKey(database, { given: 'no key', file: await keyFile(t) }), {
      code: 'master_key_invalid',
    });
    assert.equal(await storedCheck(database), undefined);
    await openMasterKey(database, { given: KEY, file: await keyFile(t) });
  });

  it('is the key of exactly one of several hubs that start together with different ones', async (t) => {
    const database = await openTestDatabase(t);
    const files = await Promise.all(['1', '2', '3', '4'].map((digit) => keyFile(t, digit.repeat(64))));
    const starts = await Promise.allSettled(files.map((file) => openMasterKey(database, { file })));
    const faults = starts.flatMap((start) => (start.status === 'rejected' ? [start.reason.code] : []));
    assert.deepEqual(faults, Array(3).fill('master_key_mismatch'));
  });

  it('is made by exactly one of several hubs that start together without any', async (t) => {
    const database = await openTestDatabase(t);
    const files = await Promise.all([keyFile(t), keyFile(t), keyFile(t), keyFile(t)]);
    const starts = await Promise.allSettled(files.map((file) => openMasterKey(database, { file })));
    const faults = starts.flatMap((start) => (start.status === 'rejected' ? [start.reason.code] : []));
    assert.deepEqual(faults, Array(3).fill('master_key_missing'));
    const made = await Promise.allSettled(files.map((file) => access(file)));
    assert.equal(made.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  it('is shared by hubs that start together on one data directory', async (t) => {
    const database = await openTestDatabase(t);
    const file = await keyFile(t);
    const starts = await Promise.all([1, 2, 3].map(() => openMasterKey(database, { file })));
    assert.equal(new Set(starts.map(({ master }) => master.id)).size, 1);
    assert.deepEqual(starts.map(({ origin }) => origin).toSorted(), ['file', 'file', 'made']);
  });
});
