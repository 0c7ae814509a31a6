import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { findPackage } from './programs.ts';
import { ORDINARY, root, start, startHub, temporary, unlessOpen } from './testing.ts';
import { atEnd } from '../at-end.testing.ts';
import { query } from '../query.testing.ts';

/** A data directory with a database whose server is stopped, and the path of the database. */
async function stopped(t: TestContext): Promise<{ dataDir: string; data: string }> {
  const dataDir = await temporary(t);
  const postgres = await start(t, dataDir);
  await postgres.stop();
  return { dataDir, data: join(dataDir, 'postgres', 'data') };
}

const mayMount = root && spawnSync('unshare', ['--mount', 'true']).status === 0;

describe('a data directory that cannot be used', () => {
  it('is told when a file stands in its place, or above it', async (t) => {
    const file = join(await temporary(t), 'file');
    await writeFile(file, 'not to be lost');
    await assert.rejects(start(t, file), { code: 'data_directory_not_a_directory' });
    await assert.rejects(start(t, join(file, 'below')), { code: 'data_directory_not_a_directory' });
    assert.equal(await readFile(file, 'utf8'), 'not to be lost');
  });

  it('is told when files stand where its folders should be', async (t) => {
    const dataDir = await temporary(t);
    await writeFile(join(dataDir, 'postgres'), '');
    await assert.rejects(start(t, dataDir), { code: 'data_directory_not_a_directory' });
    await rm(join(dataDir, 'postgres'));
    await mkdir(join(dataDir, 'postgres'));
    await writeFile(join(dataDir, 'postgres', 'data'), 'not to be lost');
    await assert.rejects(start(t, dataDir), { code: 'data_directory_not_a_directory' });
    assert.equal(await readFile(join(dataDir, 'postgres', 'data'), 'utf8'), 'not to be lost');
  });

  it('does not lock through a link that leads elsewhere', async (t) => {
    const dataDir = await temporary(t);
    await symlink('/elsewhere', join(dataDir, 'hub.lock'));
    await assert.rejects(start(t, dataDir), { code: 'data_directory_unwritable' });
  });

  it('is told when the hub may not write there', { skip: unlessOpen }, async (t) => {
    const dataDir = await temporary(t);
    const hub = await startHub(t, dataDir, ORDINARY);
    assert.equal(hub.code, 'data_directory_unwritable');
    assert.equal((await startHub(t, join(dataDir, 'new'), ORDINARY)).code, 'data_directory_unwritable');
  });

  it('is told when the database in it is of another account', { skip: unlessOpen }, async (t) => {
    const { dataDir, data } = await stopped(t);
    spawnSync('chown', ['-R', `${ORDINARY.uid}:${ORDINARY.gid}`, dataDir]);
    spawnSync('chown', ['-R', '1:1', data]);
    assert.equal((await startHub(t, dataDir, ORDINARY)).code, 'data_directory_foreign');
  });

  it(
    'is told when the disk is full, and nothing half-made stays',
    { skip: mayMount ? false : 'needs the right to mount' },
    async (t) => {
      const dataDir = join(await temporary(t), 'small');
      await mkdir(dataDir);
      assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=755', 'none', dataDir]).status, 0);
      try {
        await assert.rejects(start(t, dataDir), { code: 'disk_full' });
        assert.deepEqual(await readdir(join(dataDir, 'postgres')), ['password']);
        assert.equal(spawnSync('mount', ['-o', 'remount,size=200m', dataDir]).status, 0);
        await start(t, dataDir).then((postgres) => postgres.stop());
      } finally {
        assert.equal(spawnSync('umount', [dataDir]).status, 0);
      }
    },
  );
});

describe('a database that cannot be served', () => {
  it('is refused when another major version made it', async (t) => {
    const { dataDir, data } = await stopped(t);
    await writeFile(join(data, 'PG_VERSION'), '15\n');
    await assert.rejects(start(t, dataDir), {
      code: 'database_version_unsupported',
      message: /PostgreSQL 15; this hub runs 18/,
    });
  });

  it('is refused as damaged when a part of it is missing', async (t) => {
    const { dataDir, data } = await stopped(t);
    const password = join(dataDir, 'postgres', 'password');
    const lost: [string, string][] = [
      [password, ''],
      [join(data, 'global', 'pg_control'), ''],
      [join(data, 'PG_VERSION'), ''],
    ];
    for (const [path] of lost) {
      const kept = await readFile(path);
      await rm(path);
      await assert.rejects(start(t, dataDir), { code: 'database_damaged', message: new RegExp(path) });
      await writeFile(path, kept);
    }
    await writeFile(password, 'half a pass');
    await assert.rejects(start(t, dataDir), { code: 'database_damaged', message: new RegExp(password) });
  });

  it('is refused as damaged when its log is lost', async (t) => {
    const { dataDir, data } = await stopped(t);
    for (const name of await readdir(join(data, 'pg_wal')))
      await rm(join(data, 'pg_wal', name), { recursive: true });
    await assert.rejects(start(t, dataDir), { code: 'database_damaged', message: /checkpoint/ });
  });

  it('is refused with its own words when a setting is wrong', async (t) => {
    const { dataDir } = await stopped(t);
    await assert.rejects(start(t, dataDir, { settings: { max_connections: 'many' } }), {
      code: 'postgres_refused_to_start',
      message: /max_connections/,
    });
    await start(t, dataDir); // and left nothing locked
  });
});

describe('what an interrupted start left behind', () => {
  it('is swept: a database in the making', async (t) => {
    const dataDir = await temporary(t);
    await mkdir(join(dataDir, 'postgres', 'data.new-AbCdEf', 'base'), { recursive: true });
    await start(t, dataDir);
    assert.deepEqual((await readdir(join(dataDir, 'postgres'))).toSorted(), ['data', 'password', 'socket']);
  });

  it('does not stop the next start: the note of a server whose number belongs to another process', async (t) => {
    const { dataDir, data } = await stopped(t);
    const other = spawn('sleep', ['60'], { stdio: 'ignore', ...(root ? ORDINARY : {}) });
    atEnd(t, () => other.kill());
    await writeFile(
      join(data, 'postmaster.pid'),
      `${other.pid}\n${data}\n1\n5432\n/tmp\n\n  1234 5\nready   \n`,
    );
    const postgres = await start(t, dataDir);
    assert.deepEqual(await query(postgres.target, 'select 1 as one'), [{ one: 1 }]);
    assert.equal(other.exitCode ?? other.signalCode, null);
  });

  it('does not harm a program that merely works in the folder of the database', async (t) => {
    const { dataDir, data } = await stopped(t);
    const other = spawn('sleep', ['60'], { stdio: 'ignore', cwd: data });
    atEnd(t, () => other.kill());
    await start(t, dataDir);
    assert.equal(other.exitCode ?? other.signalCode, null);
  });
});

describe('the programs', () => {
  it('get the links they lack where they are installed', async (t) => {
    const packageDirectory = await copyOfPackage(t);
    const postgres = await start(t, await temporary(t), { packageDirectory });
    assert.ok((await readdir(join(packageDirectory, 'native', 'lib'))).includes('libicui18n.so.60'));
    assert.match(
      await readFile(`/proc/${postgres.pid}/cmdline`, 'utf8'),
      new RegExp(`^${packageDirectory}/`),
    );
  });

  it('run from a copy where the installed ones cannot get them', { skip: unlessOpen }, async (t) => {
    const packageDirectory = await copyOfPackage(t);
    const dataDir = await temporary(t, ORDINARY);
    const commandOf = async () => {
      const hub = await startHub(t, dataDir, { ...ORDINARY, packageDirectory });
      const command = await readFile(`/proc/${hub.server}/cmdline`, 'utf8');
      await hub.end('SIGTERM');
      return command;
    };
    assert.match(await commandOf(), new RegExp(`^${dataDir}/postgres/programs-[^/]+/native/bin/postgres`));
    await rm(join(dataDir, 'postgres', (await programsIn(dataDir))!, 'native', 'lib', 'libicuuc.so.60.2'));
    assert.match(
      await commandOf(),
      new RegExp(`^${dataDir}/postgres/programs-`),
      'an incomplete copy is made anew',
    );
  });

  it('are refused in their own words when they do not run', async (t) => {
    const packageDirectory = await copyOfPackage(t);
    await rm(join(packageDirectory, 'native', 'lib', 'libxml2.so.2'));
    await rm(join(packageDirectory, 'native', 'bin', 'postgres'));
    await writeFile(
      join(packageDirectory, 'native', 'bin', 'postgres'),
      '#!/bin/sh\necho cannot load >&2\nexit 127\n',
    );
    await chmod(join(packageDirectory, 'native', 'bin', 'postgres'), 0o755);
    // Another version, so that no copy of a whole package is found instead.
    await writeFile(join(packageDirectory, 'package.json'), '{"version":"0.0.0-broken"}');
    const refusal = { code: 'postgres_programs_unusable', message: /cannot load/ };
    await assert.rejects(start(t, await temporary(t), { packageDirectory }), refusal);
  });
});

async function programsIn(dataDir: string): Promise<string | undefined> {
  return (await readdir(join(dataDir, 'postgres'))).find((name) => name.startsWith('programs-'));
}

/** The installed package as npm leaves it: without its links. */
async function copyOfPackage(t: TestContext): Promise<string> {
  const { root: installed } = await findPackage();
  const copy = join(await temporary(t), 'package');
  await mkdir(copy);
  spawnSync('cp', ['-r', join(installed, 'native'), join(installed, 'package.json'), copy]);
  spawnSync('find', [copy, '-type', 'l', '-delete']);
  return copy;
}
