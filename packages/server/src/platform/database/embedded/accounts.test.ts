import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findPackage } from './programs.ts';
import {
  NAMELESS,
  ORDINARY,
  start,
  startHub,
  temporary,
  unlessOpen,
  unlessRoot,
  type Hub,
} from './testing.ts';
import { atEnd } from '../at-end.testing.ts';
import { query } from '../query.testing.ts';

const NAMESPACES = ['unshare', '--user', '--map-user=65534', '--map-group=65534'];
const withoutNamespaces =
  unlessRoot ||
  (spawnSync(NAMESPACES[0]!, [...NAMESPACES.slice(1), 'true']).status === 0
    ? false
    : 'needs user namespaces');

/** The account a server runs as, as the system sees it. */
async function accountOf(pid: number): Promise<number> {
  return Number(/^Uid:\t(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

async function assertServes(hub: Hub): Promise<void> {
  assert.equal(hub.code, undefined, hub.detail ?? '');
  assert.deepEqual(await query(hub.target, 'select 1 as one'), [{ one: 1 }]);
}

describe(
  'the account PostgreSQL runs as, when the hub is run by an ordinary user',
  { skip: unlessOpen },
  () => {
    it('is that user', async (t) => {
      const hub = await startHub(t, join(await temporary(t, ORDINARY), 'new', 'home'), ORDINARY);
      await assertServes(hub);
      assert.equal(await accountOf(hub.server), ORDINARY.uid);
    });

    it('is that user under a directory nobody else may enter', async (t) => {
      const closed = await temporary(t, ORDINARY);
      await chmod(closed, 0o700);
      await assertServes(await startHub(t, join(closed, 'home'), ORDINARY));
    });

    it('may have no name', { skip: unlessOpen || withoutNamespaces }, async (t) => {
      const dataDir = await temporary(t, NAMELESS);
      const hub = await startHub(t, dataDir, NAMELESS);
      await assertServes(hub);
      assert.equal(await accountOf(hub.server), NAMELESS.uid);
      assert.equal(await hub.end('SIGTERM'), 0);
      await assertServes(await startHub(t, dataDir, NAMELESS));
    });
  },
);

describe('the account PostgreSQL runs as, when the hub is run by root', { skip: unlessRoot }, () => {
  it('is nobody, also under a directory only root may enter', async (t) => {
    const closed = await temporary(t);
    await chmod(closed, 0o700);
    const postgres = await start(t, join(closed, 'home'));
    assert.equal(await accountOf(postgres.pid), 65_534);
    assert.deepEqual(await query(postgres.target, 'select 1 as one'), [{ one: 1 }]);
  });

  it('is the owner of the data directory, who can go on with it alone', { skip: unlessOpen }, async (t) => {
    const owner = { uid: 1, gid: 1 };
    const dataDir = await temporary(t, owner);
    await chmod(dataDir, 0o700);
    const postgres = await start(t, dataDir);
    assert.equal(await accountOf(postgres.pid), owner.uid);
    await postgres.stop();
    await assertServes(await startHub(t, dataDir, owner));
  });

  it('is nobody when the owner of the data directory has no name', async (t) => {
    const postgres = await start(t, await temporary(t, NAMELESS));
    assert.equal(await accountOf(postgres.pid), 65_534);
  });

  it('gets a restored backup handed over that belongs to root', async (t) => {
    const dataDir = await temporary(t);
    const postgres = await start(t, dataDir);
    await postgres.stop();
    const data = join(dataDir, 'postgres', 'data');
    spawnSync('chown', ['-R', '0:0', data]);
    await chmod(data, 0o755);
    await start(t, dataDir);
    assert.equal((await stat(join(data, 'global', 'pg_control'))).uid, 65_534);
  });

  it('runs a copy of programs that lie where only root may enter', async (t) => {
    const closed = await temporary(t);
    const { root: installed, version } = await findPackage();
    const packageDirectory = join(closed, 'package');
    await mkdir(packageDirectory);
    await cp(installed, packageDirectory, { recursive: true });
    await chmod(closed, 0o700);
    const postgres = await start(t, await temporary(t), { packageDirectory });
    const command = await readFile(`/proc/${postgres.pid}/cmdline`, 'utf8');
    const copy = command.slice(0, command.indexOf('/native/'));
    assert.match(copy, new RegExp(`/linkspan-programs-${version}-0$`));
    atEnd(t, () => rm(copy, { recursive: true, force: true }));
  });

  it('does not trust programs another account put where the copy belongs', async (t) => {
    const closed = await temporary(t);
    const { root: installed } = await findPackage();
    const packageDirectory = join(closed, 'package');
    await mkdir(packageDirectory);
    await cp(join(installed, 'native'), join(packageDirectory, 'native'), { recursive: true });
    await writeFile(join(packageDirectory, 'package.json'), '{"version":"0.0.0-foreign"}');
    await chmod(closed, 0o700);
    const places = ['/tmp', '/var/tmp'].map((place) => join(place, 'linkspan-programs-0.0.0-foreign-0'));
    for (const place of places) {
      await cp(join(packageDirectory, 'native'), join(place, 'native'), { recursive: true });
      spawnSync('chown', ['-R', '1:1', place]);
      atEnd(t, () => rm(place, { recursive: true, force: true }));
    }
    await assert.rejects(start(t, await temporary(t), { packageDirectory }), {
      code: 'postgres_programs_unusable',
    });
    for (const place of places) assert.equal((await stat(place)).uid, 1);
  });

  it(
    'only looks like nobody where root may not change its account',
    { skip: withoutNamespaces },
    async (t) => {
      const by = ['setpriv', '--bounding-set=-setuid,-setgid'];
      const closed = await temporary(t);
      await chmod(closed, 0o700);
      const hub = await startHub(t, join(closed, 'home'), { by });
      await assertServes(hub);
      assert.equal(await accountOf(hub.server), 0);
      assert.equal(await hub.end('SIGTERM'), 0);
      // The next start may again: the database goes over to nobody.
      const postgres = await start(t, join(closed, 'home'));
      assert.equal(await accountOf(postgres.pid), 65_534);
    },
  );

  it('is asked for in clear words where there is none', { skip: withoutNamespaces }, async (t) => {
    const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
    const by = ['unshare', '--user', '--map-root-user', 'sh', '-c', script, 'sh'];
    const hub = await startHub(t, await temporary(t), { by });
    assert.equal(hub.code, 'postgres_account_missing');
  });
});
