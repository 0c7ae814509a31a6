import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { DatabaseTarget } from '../../src/platform/database/index.ts';
import { cloneDatabase } from './database.ts';
import { ADMIN, openPlace, type HubProcess } from './hub-process.ts';

/** What reached the outside system. */
export interface Served {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // The bodies of many routes: a test names what it expects.
  readonly body: Record<string, unknown>;
}

interface Asking {
  readonly hub?: HubProcess;
  readonly body?: unknown;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Hubs on one database and an external system their calls reach. */
export interface CallScene {
  readonly hubs: readonly HubProcess[];
  readonly database: DatabaseTarget;
  readonly served: readonly Served[];
  /** The address of the external system; its paths say how it answers: `/fails`, `/cut` and `/hold` it does not well. */
  readonly outside: string;
  /** Lets everything under `/hold` be answered, from now on at once. */
  release(): void;
  ask(method: string, path: string, asking?: Asking): Promise<Answer>;
  /** Starts a call and gives its id. */
  start(body: object, asking?: Asking): Promise<string>;
  /** Reads the call until it is in this state; the runner's time limit ends a wait for what never comes. */
  until(id: string, state: string): Promise<Record<string, unknown>>;
}

/** Called in the body of `describe`: a scene for all its tests. */
export function callScene(hubs: number): CallScene {
  const ends: (() => unknown)[] = [];
  const scope = { after: (work: () => unknown) => void ends.push(work) };
  const served: Served[] = [];
  let held: (() => void)[] | undefined = [];
  const scene: { -readonly [K in keyof CallScene]: CallScene[K] } = {
    hubs: [],
    database: {},
    served,
    outside: '',
    release() {
      const all = held ?? [];
      held = undefined;
      for (const answer of all) answer();
    },
    async ask(method, path, { hub, body, token = ADMIN, headers, signal } = {}) {
      const response = await fetch((hub ?? scene.hubs[0]!).address + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal && { signal }),
      });
      const text = await response.text();
      const { status } = response;
      return {
        status,
        headers: response.headers,
        text,
        body: (text === '' ? {} : JSON.parse(text)) as Answer['body'],
      };
    },
    async start(body, asking) {
      const answer = await scene.ask('POST', '/api/v1/calls', { ...asking, body });
      if (answer.status !== 202) throw new Error(`not accepted: ${answer.text}`);
      return String(answer.body['id']);
    },
    async until(id, state) {
      for (;;) {
        const { body } = await scene.ask('GET', `/api/v1/calls/${id}`);
        if (body['state'] === state) return body;
        await wait(20);
      }
    },
  };

  before(async () => {
    const server = createServer((request, response) => {
      request.resume();
      const path = request.url ?? '';
      served.push({ path, headers: request.headers });
      const answer = (): void => {
        response.writeHead(path.startsWith('/fails') ? 400 : 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ path }));
      };
      if (path.startsWith('/cut')) request.socket.destroy();
      else if (path.startsWith('/hold') && held) held.push(answer);
      else answer();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    scope.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    scene.outside = `http://${host}`;
    scene.database = await cloneDatabase(scope);
    for (let nth = 0; nth < hubs; nth++) {
      const place = await openPlace(scope);
      const hub = await place.start({
        LINKSPAN_DATABASE_URL: scene.database.connectionString ?? '',
        LINKSPAN_ADMIN_TOKEN: ADMIN,
        LINKSPAN_EGRESS_ALLOW: host,
        LINKSPAN_MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
      });
      scene.hubs = [...scene.hubs, hub];
    }
  });
  after(async () => {
    for (const end of ends) await end();
  });
  return scene;
}

/** A request of the scene's external system. */
export function requestOf(scene: CallScene, path: string, more: object = {}): object {
  return { action: 'http/request', input: { url: scene.outside + path, ...more } };
}
