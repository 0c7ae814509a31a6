import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  ask,
  defineTestRoute,
  dial,
  makeThing,
  parseAnswer,
  startHttp,
  Thing,
  untilClosed,
  WRITER,
} from './testing.ts';

const limits = { requestMs: 300, headersMs: 200, checkTimeoutsMs: 50 };
const HEAD = `POST /things HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${WRITER}\r\nContent-Type: application/json\r\n`;

test('a body that does not arrive in time is answered 408', { timeout: 10_000 }, async (t) => {
  const { port } = await startHttp(t, { limits });
  const socket = await dial(port);
  socket.write(`${HEAD}Content-Length: 100\r\n\r\n{"name":`);
  const answer = parseAnswer(await untilClosed(socket));
  assert.equal(answer.status, 408);
  assert.equal(answer.json['code'], 'request_timeout');
});

test('a body that drips is answered 408 as well', { timeout: 10_000 }, async (t) => {
  const { port } = await startHttp(t, { limits });
  const socket = await dial(port);
  socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
  const drip = setInterval(() => socket.write('1\r\n \r\n'), 20);
  t.after(() => clearInterval(drip));
  assert.equal(parseAnswer(await untilClosed(socket)).status, 408);
});

test('headers that do not arrive in time end the connection', { timeout: 10_000 }, async (t) => {
  const { port } = await startHttp(t, { limits });
  const socket = await dial(port);
  socket.write('POST /things HTTP/1.1\r\nHost: local');
  assert.equal(parseAnswer(await untilClosed(socket)).status, 408);
});

test('an upload that is broken off reaches no handler and stops nothing', async (t) => {
  let handled = 0;
  const counting = defineTestRoute({
    method: 'POST',
    path: '/counting',
    summary: 'x',
    body: Thing,
    access: 'things:write',
    audit: { none: 'for this test' },
    replies: { 204: { description: 'Nothing.', empty: true } },
    handle: () => {
      handled++;
      return { status: 204 } as const;
    },
  });
  const { port } = await startHttp(t, { routes: [makeThing, counting] });
  for (let times = 0; times < 20; times++) {
    const socket = await dial(port);
    socket.write(`${HEAD.replace('/things', '/counting')}Content-Length: 100000\r\n\r\n{"name":"a`);
    if (times % 2) socket.resetAndDestroy();
    else socket.end();
    await untilClosed(socket);
  }
  const answer = await ask(port, { method: 'POST', body: '{"name":"a","count":1}' });
  assert.equal(answer.status, 201);
  assert.equal(handled, 0);
});

/** A route that waits until it is told to go on. */
function waiting() {
  const arrived = Promise.withResolvers<AbortSignal>();
  const goOn = Promise.withResolvers<void>();
  const route = defineTestRoute({
    method: 'GET',
    path: '/waiting',
    summary: 'x',
    access: 'things:read',
    audit: { none: 'for this test' },
    replies: { 204: { description: 'Nothing.', empty: true } },
    async handle({ signal }) {
      arrived.resolve(signal);
      await goOn.promise;
      return { status: 204 };
    },
  });
  return { route, arrived: arrived.promise, goOn: goOn.resolve };
}

const ASK = `GET /waiting HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${WRITER}\r\n\r\n`;

test('the signal of a request tells when its client is gone', async (t) => {
  const { route, arrived, goOn } = waiting();
  const { port } = await startHttp(t, { routes: [route] });
  const socket = await dial(port);
  socket.write(ASK);
  const signal = await arrived;
  assert.equal(signal.aborted, false);
  socket.destroy();
  if (!signal.aborted) await once(signal, 'abort');
  goOn();
});

test('draining lets running requests finish and takes no new ones', { timeout: 10_000 }, async (t) => {
  const { route, arrived, goOn } = waiting();
  const { http, port } = await startHttp(t, { routes: [makeThing, route] });
  const [running, idle, other] = [await dial(port), await dial(port), await dial(port)];
  running.write(ASK);
  await arrived;
  const answers = [untilClosed(running), untilClosed(idle), untilClosed(other)];
  // Begun before the drain, complete only after: its connection cannot be idle.
  other.write('GET /things HTTP/1.1\r\nHost: localhost\r\n');
  await ask(port, { path: '/healthz' });

  const closed = http.close(5_000);
  await assert.rejects(dial(port));
  other.write('\r\n');
  const refused = parseAnswer((await answers[2]) ?? '');
  assert.equal(refused.status, 503);
  assert.equal(refused.json['code'], 'draining');
  assert.equal(await answers[1], '');
  goOn();
  const finished = parseAnswer((await answers[0]) ?? '');
  assert.equal(finished.status, 204);
  assert.equal(finished.headers.connection, 'close');
  await closed;
});

test('a request that outlasts the grace is cut off', { timeout: 10_000 }, async (t) => {
  const { route, arrived, goOn } = waiting();
  const { http, port } = await startHttp(t, { routes: [route] });
  const socket = await dial(port);
  socket.write(ASK);
  const signal = await arrived;
  const ended = untilClosed(socket);
  await http.close(50);
  assert.equal(await ended, '');
  if (!signal.aborted) await once(signal, 'abort');
  goOn();
});

test('several requests share one connection', async (t) => {
  const { port } = await startHttp(t);
  const socket = await dial(port);
  const text = untilClosed(socket);
  const one = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n';
  socket.write(`${one}\r\n${one}\r\n${one}Connection: close\r\n\r\n`);
  assert.equal((await text).match(/HTTP\/1\.1 200 /g)?.length, 3);
});
