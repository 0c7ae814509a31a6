import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  ask,
  defineTestRoute,
  dial,
  makeThing,
  READER,
  sendRaw,
  startHttp,
  untilClosed,
  WRITER,
} from './testing.ts';

const BODY = '{"name":"a","count":1}';

test('without a valid token there is no way in', async (t) => {
  const { port } = await startHttp(t);
  for (const [authorization, detail] of [
    [undefined, /missing/],
    ['', /form/],
    ['Bearer', /form/],
    ['Bearer ', /form/],
    [WRITER, /form/],
    [`Basic ${WRITER}`, /form/],
    [`Bearer ${WRITER} ${WRITER}`, /form/],
    [`Bearer  ${WRITER},`, /Nobody/],
    [`Bearer ${'x'.repeat(2_000)}`, /form/],
    [`Bearer ${WRITER.toUpperCase()}`, /Nobody/],
    ['Bearer __proto__', /Nobody/],
    ['Bearer undefined', /Nobody/],
  ] as const) {
    const answer = await ask(port, {
      method: 'POST',
      token: null,
      body: BODY,
      headers: authorization === undefined ? {} : { authorization },
    });
    assert.equal(answer.status, 401, `<${authorization}>`);
    assert.match(String(answer.json['detail']), detail, `<${authorization}>`);
    assert.match(String(answer.headers['www-authenticate']), /^Bearer/);
  }
});

test('a token without the permission is told which one it lacks', async (t) => {
  const { port } = await startHttp(t);
  const answer = await ask(port, { method: 'POST', token: READER, body: BODY });
  assert.equal(answer.status, 403);
  assert.equal(answer.json['code'], 'forbidden');
  assert.match(String(answer.json['detail']), /things:write/);
});

test('who may not call is told before anything of the body is read', async (t) => {
  const { port } = await startHttp(t);
  for (const [credential, status] of [
    ['', 401],
    [`Authorization: Bearer ${READER}\r\n`, 403],
  ] as const) {
    const socket = await dial(port);
    // The body never comes: an answer shows that nobody waited for it.
    socket.write(
      `POST /things HTTP/1.1\r\nHost: localhost\r\n${credential}Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{`,
    );
    const [first] = (await once(socket, 'data')) as [Buffer];
    assert.match(first.toString(), new RegExp(`^HTTP/1.1 ${status} `));
    socket.destroy();
  }
});

test('bad bodies of strangers are answered 401, never with what is wrong with them', async (t) => {
  const { port } = await startHttp(t);
  for (const body of ['not json', '{"a":1,"a":2}', 'x'.repeat(2_000_000)])
    assert.equal((await ask(port, { method: 'POST', token: null, body })).status, 401);
});

test('a client that keeps sending after its refusal is cut off', { timeout: 10_000 }, async (t) => {
  const { port } = await startHttp(t, { limits: { lingerMs: 50 } });
  const socket = await dial(port);
  socket.write('POST /things HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
  assert.match(await untilClosed(socket), /^HTTP\/1\.1 401 /);
});

test('metrics are open to this machine, and to nobody who comes through something', async (t) => {
  const { port } = await startHttp(t);
  const read = (question: object) => ask(port, { path: '/metrics', token: null, ...question });
  assert.equal((await read({})).status, 200);
  for (const headers of [
    { 'x-forwarded-for': '127.0.0.1' },
    { 'x-forwarded-for': '' },
    { forwarded: 'for=127.0.0.1' },
    { via: '1.1 proxy' },
    { 'x-real-ip': '127.0.0.1' },
    { 'x-forwarded-host': 'localhost' },
    { host: '192.0.2.1' },
  ] as Record<string, string>[]) {
    assert.equal((await read({ headers })).status, 401, JSON.stringify(headers));
    assert.equal((await read({ headers, token: READER })).status, 403);
    assert.equal((await read({ headers, token: WRITER })).status, 200);
  }
});

test('a request id is ours, or a client’s own when it is harmless', async (t) => {
  const { port } = await startHttp(t);
  const idFor = async (id?: string) =>
    (await ask(port, { path: '/healthz', headers: id === undefined ? {} : { 'x-request-id': id } })).headers[
      'x-request-id'
    ];
  assert.match(String(await idFor()), /^[0-9a-f-]{36}$/);
  assert.equal(await idFor('order-4711-a'), 'order-4711-a');
  for (const bad of ['short', 'x'.repeat(65), 'with space in it', '{"json":"yes"}', '../../etc/passwd'])
    assert.match(String(await idFor(bad)), /^[0-9a-f-]{36}$/, bad);
});

test('every answer forbids sniffing, caching and framing, errors too', async (t) => {
  const { port } = await startHttp(t);
  const answers = [
    await ask(port, { path: '/healthz' }),
    await ask(port, { path: '/nothing' }),
    await ask(port, { path: '/%zz' }),
    await ask(port, { path: '/healthz', headers: { host: 'evil.example' } }),
    await ask(port, { method: 'POST', body: '{' }),
    await ask(port, { method: 'OPTIONS' }),
  ];
  for (const { headers } of answers) {
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.match(String(headers['content-security-policy']), /^default-src 'none'; frame-ancestors 'none'$/);
    assert.ok(headers['x-request-id']);
    assert.equal(headers['access-control-allow-origin'], undefined);
    assert.equal(headers.server ?? headers['x-powered-by'], undefined);
  }
});

test('public routes do not look at tokens', async (t) => {
  const open = defineTestRoute({
    method: 'GET',
    path: '/open',
    summary: 'x',
    access: { public: 'for this test' },
    audit: { none: 'for this test' },
    replies: { 204: { description: 'Nothing.', empty: true } },
    handle: ({ caller }) => {
      assert.equal(caller, undefined);
      return { status: 204 };
    },
  });
  const { port } = await startHttp(t, { routes: [makeThing, open] });
  for (const token of [null, WRITER, 'nonsense'])
    assert.equal((await ask(port, { path: '/open', token })).status, 204);
});

test('an authenticator that fails lets nobody in', async (t) => {
  const { port } = await startHttp(t, { authenticate: () => Promise.reject(new Error('secret detail')) });
  const answer = await ask(port, { method: 'POST', body: BODY });
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.text, /secret/);
  assert.equal(
    (
      await sendRaw(
        port,
        'GET /metrics HTTP/1.1\r\nHost: localhost\r\nVia: x\r\nAuthorization: Bearer abc\r\nConnection: close\r\n\r\n',
      )
    ).status,
    500,
  );
});
