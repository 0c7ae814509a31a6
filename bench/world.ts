import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { clientConfig } from '../packages/server/src/platform/database/index.ts';
import {
  startEmbedded,
  type EmbeddedPostgres,
} from '../packages/server/src/platform/database/embedded/index.ts';
import { createLog } from '../packages/server/src/platform/log.ts';
import { urlOf } from '../packages/server/test/support/test-server.ts';
import { ROOT } from '../tools/root.ts';
import type { Options } from './options.ts';
import { startChild, type Child } from './processes/child.ts';

/** Everything a benchmark stands on: a PostgreSQL of its own, the stub, the load generator. */
export interface World {
  readonly directory: string;
  readonly postgres: EmbeddedPostgres;
  readonly facts: PostgresFacts;
  readonly stub: Child<number>;
  readonly load: Child<number>;
  /** Starts a hub; port 0 takes any free one. `ready` is its address. */
  startHub(options?: { port?: number; nodeOptions?: readonly string[] }): Promise<Child<string>>;
  startFront(client: 'action' | 'bare'): Promise<Child<string>>;
  /** A token that may start and read calls, and nothing else. Takes a hub that runs. */
  makeToken(hub: string): Promise<string>;
  /** Runs one statement as the hub's role, which sees every tenant. */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** A connection of the owner of the tables. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

export interface PostgresFacts {
  readonly version: string;
  readonly fsync: string;
  readonly synchronous_commit: string;
  /** Commits of one row each a second, on one connection: what the disk gives. */
  readonly commitsPerSecond: number;
}

/** Seconds in which PostgreSQL's own commits are counted. */
const PROBE = 1;

/** As `npm start` runs the hub. */
const NODE_OPTIONS = ['--max-semi-space-size=64'];

export async function startWorld(
  options: Options,
  settings?: { retries: readonly number[] },
): Promise<World> {
  const parent = options.dataDir ?? join(ROOT, 'node_modules', '.cache');
  await mkdir(parent, { recursive: true });
  const directory = await mkdtemp(join(parent, 'linkspan-bench-'));
  const closes: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (let next = closes.pop(); next; next = closes.pop()) await next();
    if (!options.keep) await rm(directory, { recursive: true, force: true });
  };
  try {
    return { ...(await open(directory, options, closes, settings)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(
  directory: string,
  { profile }: Options,
  closes: (() => unknown)[],
  settings: { retries?: readonly number[] } = {},
): Promise<Omit<World, 'close'>> {
  const log = createLog({ level: 'info', destination: createWriteStream(join(directory, 'postgres.log')) });
  const postgres = await startEmbedded({ dataDir: join(directory, 'database'), log, ...settings });
  closes.push(() => postgres.stop());
  const { target } = postgres;
  const connect = async (role?: 'linkspan_hub'): Promise<pg.Client> => {
    const client = new pg.Client({ ...clientConfig(target, role), statement_timeout: 0 });
    client.on('error', () => {}); // the statement under way rejects as well
    await client.connect();
    return client;
  };
  const facts = await probe(await connect());

  const logOf = (name: string): string => join(directory, `${name}.log`);
  const stub = await startChild<number>({ program: 'stub.ts', log: logOf('stub') });
  closes.push(() => stub.stop());
  const load = await startChild<number>({ program: 'load.ts', log: logOf('load') });
  closes.push(() => load.stop());

  await mkdir(join(directory, 'hub'));
  const adminToken = randomBytes(32).toString('base64url');
  const environment = {
    LINKSPAN_DATA_DIR: join(directory, 'hub'),
    LINKSPAN_DATABASE_URL: urlOf(target),
    LINKSPAN_ADMIN_TOKEN: adminToken,
    LINKSPAN_EGRESS_ALLOW: `127.0.0.1:${stub.ready}`,
  };
  const profiling = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];

  const startServer = async (
    program: string,
    name: string,
    {
      port = 0,
      nodeOptions = [],
      args = [],
    }: { port?: number; nodeOptions?: readonly string[]; args?: string[] },
  ): Promise<Child<string>> => {
    const child = await startChild<string>({
      program,
      args,
      log: logOf(name),
      env: { ...environment, LINKSPAN_PORT: String(port) },
      nodeOptions: [...NODE_OPTIONS, ...nodeOptions],
    });
    closes.push(() => child.stop());
    return child;
  };

  return {
    directory,
    postgres,
    facts,
    stub,
    load,
    startHub: ({ port = 0, nodeOptions = [] } = {}) =>
      startServer('hub.ts', 'hub', { port, nodeOptions: [...nodeOptions, ...profiling] }),
    startFront: (client) => startServer('front.ts', `front-${client}`, { args: [client] }),
    makeToken: (hub) => makeToken(hub, adminToken),
    async query<Row extends object>(text: string, values: readonly unknown[] = []) {
      const client = await connect('linkspan_hub');
      try {
        return (await client.query<Row>(text, [...values])).rows;
      } finally {
        await client.end();
      }
    },
    connect: () => connect(),
  };
}

async function makeToken(hub: string, adminToken: string): Promise<string> {
  const response = await fetch(`${hub}/api/v1/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'bench', permissions: ['calls:write', 'calls:read'] }),
  });
  if (response.status !== 201) throw new Error(`No token: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { token: string }).token;
}

async function probe(client: pg.Client): Promise<PostgresFacts> {
  try {
    const show = async (name: string): Promise<string> =>
      Object.values((await client.query<Record<string, string>>(`show ${name}`)).rows[0]!)[0]!;
    const facts = {
      version: await show('server_version'),
      fsync: await show('fsync'),
      synchronous_commit: await show('synchronous_commit'),
    };
    await client.query('create table public.bench_commits (value text)');
    const began = performance.now();
    let commits = 0;
    for (; performance.now() - began < PROBE * 1000; commits++)
      await client.query({
        name: 'commit',
        text: 'insert into public.bench_commits values ($1)',
        values: ['row'],
      });
    const commitsPerSecond = Math.round(commits / ((performance.now() - began) / 1000));
    await client.query('drop table public.bench_commits');
    return { ...facts, commitsPerSecond };
  } finally {
    await client.end();
  }
}
