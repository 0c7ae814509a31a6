import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makePath } from './make-path.ts';

test('directories are made with those above them, and existing ones are left alone', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'linkspan-path-'));
  t.after(() => rm(root, { recursive: true }));
  const path = join(root, 'a', 'b', 'c');
  await makePath(path, 0o711);
  await makePath(path, 0o700);
  assert.equal((await stat(path)).mode & 0o777, 0o711);
  await writeFile(join(root, 'file'), '');
  await assert.rejects(makePath(join(root, 'file', 'below'), 0o711), { code: 'ENOTDIR' });
});

test('a file system that makes nothing ends it', async () => {
  await assert.rejects(makePath('/proc/linkspan/data', 0o711));
});
