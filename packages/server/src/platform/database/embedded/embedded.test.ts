import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startEmbedded } from './embedded.ts';
import { lives, root, silent, start, startHub, temporary, until } from './testing.ts';
import { query } from '../query.testing.ts';

describe('the embedded PostgreSQL', () => {
  it('keeps what was written, and starts again within a second', async (t) => {
    const dataDir = await temporary(t);
    const first = await start(t, dataDir);
    await query(first.target, 'create table public.kept as select 42 as answer');
    await first.stop();
    const before = Date.now();
    const second = await start(t, dataDir);
    assert.ok(Date.now() - before < 1_000, 'the second start took a second or more');
    assert.deepEqual(await query(second.target, 'select answer from public.kept'), [{ answer: 42 }]);
  });

  it('writes to the disk before it confirms, listens on no network, and logs no values', async (t) => {
    const { target } = await start(t, await temporary(t));
    const setting = async (name: string) =>
      (await query<{ value: string }>(target, `select current_setting('${name}') as value`))[0]?.value;
    assert.equal(await setting('fsync'), 'on');
    assert.equal(await setting('synchronous_commit'), 'on');
    assert.equal(await setting('full_page_writes'), 'on');
    assert.equal(await setting('listen_addresses'), '');
    assert.equal(await setting('log_min_messages'), 'log');
    assert.equal(await setting('jit'), 'off');
  });

  it('lets only its own login in, with its password, and that is no superuser', async (t) => {
    const { target } = await start(t, await temporary(t));
    assert.deepEqual(
      await query(target, 'select rolsuper, rolbypassrls from pg_roles where rolname = current_user'),
      [{ rolsuper: false, rolbypassrls: false }],
    );
    await assert.rejects(query({ ...target, password: 'wrong' }, 'select 1'), { code: '28P01' });
    await assert.rejects(query({ ...target, user: 'postgres' }, 'select 1'), { code: '28000' });
  });

  it('keeps its files from other accounts', async (t) => {
    const { directory } = await start(t, await temporary(t));
    const modeOf = async (path: string) => (await stat(join(directory, 'postgres', path))).mode & 0o777;
    assert.equal(await modeOf('password'), 0o600);
    assert.equal(await modeOf('data'), 0o700);
    assert.equal(await modeOf('socket'), 0o700);
    assert.deepEqual((await readdir(join(directory, 'postgres'))).toSorted(), ['data', 'password', 'socket']);
  });

  it(
    'gets nothing of the environment',
    { skip: process.platform === 'linux' ? false : 'needs /proc' },
    async (t) => {
      const hub = await startHub(t, await temporary(t), {
        env: { LINKSPAN_MASTER_KEY: 'canary-in-the-environment' },
      });
      const environment = async (pid: number) =>
        (await readFile(`/proc/${pid}/environ`, 'utf8')).replaceAll('\0', '\n');
      assert.match(await environment(hub.pid), /canary/);
      assert.doesNotMatch(await environment(hub.server), /canary/);
    },
  );

  it('stops once, however often it is told to', async (t) => {
    const dataDir = await temporary(t);
    const postgres = await start(t, dataDir);
    const { pid } = postgres;
    await Promise.all([postgres.stop(), postgres.stop()]);
    assert.equal(lives(pid), false);
    await startEmbedded({ dataDir, log: silent }).then((again) => again.stop());
  });

  it('serves from a data directory whose path is too long for a socket, and leaves nothing elsewhere', async (t) => {
    const dataDir = join(await temporary(t), 'long-'.repeat(24));
    const postgres = await start(t, dataDir);
    const socket = postgres.target.host ?? '';
    assert.ok(!socket.startsWith(postgres.directory));
    assert.equal((await stat(socket)).mode & 0o777, 0o700);
    assert.deepEqual(await query(postgres.target, 'select 1 as one'), [{ one: 1 }]);
    await postgres.stop();
    await assert.rejects(stat(socket), { code: 'ENOENT' });
  });

  it('refuses a second hub, naming the first', async (t) => {
    const dataDir = await temporary(t);
    const first = await startHub(t, dataDir);
    const second = await startHub(t, dataDir);
    assert.equal(second.code, 'data_directory_in_use');
    assert.match(second.detail ?? '', new RegExp(`process ${first.pid}\\b`));
    await assert.rejects(start(t, dataDir), { code: 'data_directory_in_use' });
    assert.deepEqual(await query(first.target, 'select 1 as one'), [{ one: 1 }]);
  });

  it('refuses a second hub of the same process', async (t) => {
    const dataDir = await temporary(t);
    const first = await start(t, dataDir);
    await assert.rejects(start(t, dataDir), { code: 'data_directory_in_use' });
    await assert.rejects(start(t, dataDir), { code: 'data_directory_in_use' });
    await first.stop();
    await start(t, dataDir);
  });

  it('runs as an account that is not root', { skip: root ? false : 'root alone is refused' }, async (t) => {
    const postgres = await start(t, await temporary(t));
    assert.match(
      await readFile(`/proc/${postgres.pid}/status`, 'utf8'),
      /^Uid:\t65534\t65534\t65534\t65534$/m,
    );
  });
});

describe('the embedded PostgreSQL after a crash', () => {
  it('is started again when the server is killed, with all that was committed', async (t) => {
    const postgres = await start(t, await temporary(t));
    await query(postgres.target, 'create table public.kept as select 42 as answer');
    const { pid } = postgres;
    process.kill(pid, 'SIGKILL');
    await until('another server runs', () => postgres.pid !== pid);
    assert.deepEqual(await query(postgres.target, 'select answer from public.kept'), [{ answer: 42 }]);
    assert.equal(lives(pid), false);
  });

  it('says so when it cannot be started again', async (t) => {
    const dataDir = await temporary(t);
    const postgres = await start(t, dataDir, { retries: [0, 10] });
    await rm(join(postgres.directory, 'postgres', 'data', 'global', 'pg_control'));
    process.kill(postgres.pid, 'SIGKILL');
    assert.equal((await postgres.gaveUp).code, 'database_damaged');
    await postgres.stop();
    await assert.rejects(start(t, dataDir), { code: 'database_damaged' });
  });

  it('gives up a server that starts but ends again and again', async (t) => {
    const postgres = await start(t, await temporary(t), { retries: [0] });
    const { pid } = postgres;
    process.kill(pid, 'SIGKILL');
    await until('another server runs', () => postgres.pid !== pid);
    process.kill(postgres.pid, 'SIGKILL');
    assert.equal((await postgres.gaveUp).code, 'postgres_refused_to_start');
  });

  it('can be stopped while it waits to start again', async (t) => {
    const dataDir = await temporary(t);
    const postgres = await start(t, dataDir, { retries: [60_000] });
    const { pid } = postgres;
    process.kill(pid, 'SIGKILL');
    await until('the server is gone', () => !lives(pid));
    await postgres.stop();
    await start(t, dataDir);
  });

  it('takes over from a hub that was killed, whose server still ran', async (t) => {
    const dataDir = await temporary(t);
    const killed = await startHub(t, dataDir);
    await query(killed.target, 'create table public.kept as select 42 as answer');
    await killed.end('SIGKILL');
    assert.equal(lives(killed.server), true);
    const next = await start(t, dataDir);
    assert.notEqual(next.pid, killed.server);
    await until('the server that was left is gone', () => !lives(killed.server));
    assert.deepEqual(await query(next.target, 'select answer from public.kept'), [{ answer: 42 }]);
  });

  it('takes over when hub and server were both killed', async (t) => {
    const dataDir = await temporary(t);
    const killed = await startHub(t, dataDir);
    await query(killed.target, 'create table public.kept as select 42 as answer');
    await killed.end('SIGKILL');
    process.kill(killed.server, 'SIGKILL');
    const next = await start(t, dataDir);
    assert.deepEqual(await query(next.target, 'select answer from public.kept'), [{ answer: 42 }]);
  });

  it('leaves no server behind when the hub ends without stopping it', async (t) => {
    const hub = await startHub(t, await temporary(t));
    assert.equal(await hub.end('SIGHUP'), 3);
    await until('the server is gone', () => !lives(hub.server));
  });
});
