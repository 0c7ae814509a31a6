import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Registry } from 'prom-client';
import { Type } from 'typebox';
import { systemClock } from '../clock.ts';
import { createLog } from '../log.ts';
import { createHttp, routeDefiner, type Http, type HttpOptions, type Route } from './index.ts';

/** A server for the tests of this folder: two tokens, a few routes, real sockets. */

interface TestTerms {
  readonly permission: 'things:read' | 'things:write' | 'metrics:read';
  readonly audit: 'thing.make';
  readonly caller: { readonly name: string; readonly grants: readonly string[] };
  readonly actor: { readonly name: string; readonly noted?: (name: 'thing.make') => void };
}

export type TestRoute = Route<TestTerms>;
export const defineTestRoute = routeDefiner<TestTerms>();

/** May do everything, and may only read. */
export const WRITER = 'writer-token-of-at-least-32-characters';
export const READER = 'reader-token-of-at-least-32-characters';

const CALLERS: Readonly<Record<string, TestTerms['caller']>> = {
  [WRITER]: { name: 'writer', grants: ['things:read', 'things:write', 'metrics:read'] },
  [READER]: { name: 'reader', grants: ['things:read'] },
};

export const Thing = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 40, pattern: '^[a-z ]+$' }),
    count: Type.Integer({ minimum: 0 }),
    tags: Type.Optional(Type.Array(Type.String(), { maxItems: 3 })),
    inner: Type.Optional(Type.Object({ flag: Type.Boolean() }, { additionalProperties: false })),
  },
  { additionalProperties: false },
);

/** Takes a thing and gives it back. */
export const makeThing = defineTestRoute({
  method: 'POST',
  path: '/things',
  summary: 'Make a thing',
  access: 'things:write',
  audit: 'thing.make',
  body: Thing,
  replies: { 201: { description: 'The thing.', schema: Thing } },
  handle({ actor, body }) {
    actor.noted?.('thing.make');
    return { status: 201, body };
  },
});

type Scope = { after(work: () => Promise<void>): void };

/** Starts a server on a free port of the loopback interface; it ends with the test. */
export async function startHttp(
  t: Scope,
  options: Partial<HttpOptions<TestTerms>> = {},
): Promise<{ http: Http; port: number; registry: Registry }> {
  const registry = new Registry();
  const http = await createHttp<TestTerms>({
    routes: [makeThing],
    permissions: { 'things:read': 'Read.', 'things:write': 'Write.', 'metrics:read': 'Metrics.' },
    audits: { 'thing.make': 'A thing was made.' },
    errors: [],
    authenticate: (token) => Promise.resolve(Object.hasOwn(CALLERS, token) ? CALLERS[token] : undefined),
    permits: ({ grants }, permission) => grants.includes(permission),
    actorOf: ({ name }, { noted }) => ({ name, ...(noted ? { noted } : {}) }),
    metricsPermission: 'metrics:read',
    checks: {},
    registry,
    log: createLog({ level: 'silent' }),
    clock: systemClock,
    version: '0.0.0',
    checked: true,
    ...options,
  });
  const address = await http.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => http.close(0));
  return { http, port: Number(new URL(address).port), registry: options.registry ?? registry };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON. */
  readonly json: Record<string, unknown>;
}

export interface Question {
  readonly method?: string;
  readonly path?: string;
  /** `null` sends none. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Sends one request as a well-behaved client does; a body goes as JSON unless the headers say otherwise. */
export async function ask(port: number, question: Question): Promise<Answer> {
  const { method = 'GET', path = '/things', token = WRITER, headers, body } = question;
  const sent = request({
    host: '127.0.0.1',
    port,
    method,
    path,
    agent: false,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(body === undefined || headers?.['transfer-encoding']
        ? {}
        : { 'content-length': Buffer.byteLength(body) }),
      ...headers,
    },
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return answerOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString());
}

function answerOf(status: number, headers: IncomingHttpHeaders, text: string): Answer {
  return {
    status,
    headers,
    text,
    get json() {
      return JSON.parse(text) as Record<string, unknown>;
    },
  };
}

/** Opens a bare connection, for what no well-behaved client sends. */
export async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.on('error', () => {}); // resets are part of what is tested
  await once(socket, 'connect');
  return socket;
}

/** Everything the server sends until it ends the connection. */
export async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  if (!socket.closed) await once(socket, 'close');
  return text;
}

/** Sends these bytes as they are; gives the one answer. `Connection: close` has to be among them. */
export async function sendRaw(port: number, bytes: string | Buffer): Promise<Answer> {
  const socket = await dial(port);
  socket.write(bytes);
  return parseAnswer(await untilClosed(socket));
}

/** Reads an answer from its bytes. */
export function parseAnswer(bytes: string): Answer {
  const [head = '', ...rest] = bytes.split('\r\n\r\n');
  const [line = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((header) => {
      const colon = header.indexOf(':');
      return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()];
    }),
  );
  return answerOf(Number(line.split(' ')[1] ?? 0), headers, rest.join('\r\n\r\n'));
}
