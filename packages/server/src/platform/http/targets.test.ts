import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { ask, defineTestRoute, makeThing, sendRaw, startHttp, WRITER } from './testing.ts';

let handled: string[] = [];

const one = defineTestRoute({
  method: 'GET',
  path: '/things/:id',
  summary: 'Read a thing',
  access: 'things:read',
  audit: { none: 'for this test' },
  params: Type.Object({ id: Type.String() }, { additionalProperties: false }),
  replies: {
    200: {
      description: 'Its name.',
      schema: Type.Object({ id: Type.String() }, { additionalProperties: false }),
    },
  },
  handle({ params }) {
    handled.push(params.id);
    return { status: 200, body: params };
  },
});

const routes = [makeThing, one];

const TRICKS = [
  '/nothing',
  '/things/',
  '/things/a/',
  '/Things/a',
  '/THINGS/a',
  '//things/a',
  '/things//a',
  '/./things/a',
  '/things/./a',
  '/things/../things/a',
  '/healthz/../things/a',
  '/things/..',
  '/things/%2e%2e',
  '/things/%2E%2e/a',
  '/things/.%2e',
  '/healthz/%2e%2e/things/a',
  '/things%2fa',
  '/things/a%2Fb',
  '/things/a%5cb',
  '/things/a\\b',
  '/things/a%00',
  '/things/a%00.json',
  '/things/a%0d%0aX-Evil:1',
  '/things/a;x',
  '/things/a;x=/healthz',
  '/things/a%3bx',
  '/things;/a',
  '/%74hings/a',
  '/things/%61',
  '/things/%252e%252e',
  '/things/%25',
  '/things/%',
  '/things/%zz',
  '/things/%ff',
  '/things/%c0%af',
  '/things/a/healthz',
  '/healthz/a',
  '/healthz/',
  '/healthz;/things',
  '/healthz%2f',
  '/things/a#b',
  '/things/a"b',
  '/things/a<b',
  '/things.json',
  'http://localhost/things/a',
  'http://localhost/healthz',
  'https://evil.example/things/a',
  '*',
];

test('one address has one spelling, and every other one is nothing', async (t) => {
  const { port } = await startHttp(t, { routes });
  handled = [];
  for (const target of TRICKS) {
    for (const credential of ['', `Authorization: Bearer ${WRITER}\r\n`]) {
      const head = `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${credential}Connection: close\r\n\r\n`;
      const answer = await sendRaw(port, head);
      // The parser itself refuses some of them.
      assert.ok(answer.status === 404 || answer.status === 400, `${target} was answered ${answer.status}`);
      assert.match(String(answer.json['code']), /^(not_found|malformed_request)$/, target);
    }
  }
  assert.deepEqual(handled, []);
});

test('encoded text within a segment is fine', async (t) => {
  const { port } = await startHttp(t, { routes });
  handled = [];
  for (const [encoded, id] of [
    ['a%20b', 'a b'],
    ['%C3%BC', 'ü'],
    ['a@b.example', 'a@b.example'],
    ['...', '...'],
  ])
    assert.equal((await ask(port, { path: `/things/${encoded}` })).json['id'], id);
});

test('a suffix that names an open route opens nothing', async (t) => {
  const { port } = await startHttp(t, { routes });
  handled = [];
  for (const id of ['healthz', 'openapi.json', 'metrics', 'docs', 'readyz']) {
    const answer = await ask(port, { path: `/things/${id}`, token: null });
    assert.equal(answer.status, 401, id);
  }
  assert.deepEqual(handled, []);
});

test('a wrong method is told the right ones', async (t) => {
  const { port } = await startHttp(t, { routes });
  const cases: [string, string, string][] = [
    ['GET', '/things', 'OPTIONS, POST'],
    ['DELETE', '/things', 'OPTIONS, POST'],
    ['HEAD', '/things', 'OPTIONS, POST'],
    ['TRACE', '/things/a', 'GET, HEAD, OPTIONS'],
    ['PROPFIND', '/things/a', 'GET, HEAD, OPTIONS'],
    ['POST', '/healthz', 'GET, HEAD, OPTIONS'],
    ['PUT', '/openapi.json', 'GET, HEAD, OPTIONS'],
  ];
  for (const [method, path, allow] of cases) {
    const answer = await ask(port, { method, path, token: null });
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.equal(answer.headers.allow, allow);
    if (method !== 'HEAD') assert.equal(answer.json['code'], 'method_not_allowed');
  }
});

test('OPTIONS names the methods, and allows no other origin', async (t) => {
  const { port } = await startHttp(t, { routes });
  const answer = await ask(port, {
    method: 'OPTIONS',
    token: null,
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
  });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.allow, 'OPTIONS, POST');
  assert.equal(answer.headers['access-control-allow-origin'], undefined);
});

test('HEAD answers as GET does, without the body', async (t) => {
  const { port } = await startHttp(t, { routes });
  const get = await ask(port, { path: '/things/a' });
  const head = await ask(port, { method: 'HEAD', path: '/things/a' });
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
  assert.equal(head.headers['content-length'], get.headers['content-length']);
  assert.equal((await ask(port, { method: 'HEAD', path: '/things/a', token: null })).status, 401);
});

test('the hub answers under its own names only', async (t) => {
  const { port } = await startHttp(t, {
    publicUrl: new URL('https://hub.example.com:8443'),
    allowedHosts: ['linkspan', 'Hub.Internal'],
  });
  const statusOf = async (host: string) => (await ask(port, { path: '/healthz', headers: { host } })).status;
  for (const host of [
    'localhost',
    'LOCALHOST:7004',
    '127.0.0.1',
    '10.0.0.7:80',
    '[::1]:7004',
    'hub.example.com',
    'hub.example.com:9',
    'linkspan:7004',
    'hub.internal',
  ])
    assert.equal(await statusOf(host), 200, host);
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    'evil-localhost',
    'xlinkspan',
    'hub.example.com.evil.example',
    'localhost:7004:1',
    'localhost@evil.example',
    '127.0.0.1.nip.io',
    '[::1',
  ])
    assert.equal(await statusOf(host), 421, `<${host}>`);
});

test('an empty host is no name of ours', async (t) => {
  const { port } = await startHttp(t);
  const answer = await sendRaw(port, 'GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n');
  assert.equal(answer.status, 421);
});

test('a wrong host gets nothing, whatever it asks for', async (t) => {
  const { port } = await startHttp(t, { routes });
  const answer = await ask(port, { path: '/things/a', headers: { host: 'evil.example' } });
  assert.equal(answer.status, 421);
  assert.equal(answer.json['code'], 'host_not_allowed');
});

test('a request without a host is broken, unless it is of HTTP/1.0', async (t) => {
  const { port } = await startHttp(t);
  assert.equal((await sendRaw(port, 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n')).status, 400);
  assert.equal((await sendRaw(port, 'GET /healthz HTTP/1.0\r\n\r\n')).status, 200);
});

test('what is too long is refused as such', async (t) => {
  const { port } = await startHttp(t);
  assert.equal((await ask(port, { path: `/${'a'.repeat(8_300)}` })).status, 414);
  assert.equal((await ask(port, { path: `/things/${'a'.repeat(2_000)}` })).status, 404);
  const answer = await sendRaw(
    port,
    `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
  );
  assert.equal(answer.status, 431);
  assert.equal(answer.json['code'], 'headers_too_large');
});

test('what is not HTTP is refused as such', async (t) => {
  const { port } = await startHttp(t);
  for (const bytes of [
    'hello\r\n\r\n',
    'GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n',
    'GET /healthz HTTP/1.1\r\nHost: localhost\r\nBroken Header: 1\r\n\r\n',
    `POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
    `POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n`,
  ]) {
    const answer = await sendRaw(port, bytes);
    assert.equal(answer.status, 400, bytes);
    assert.equal(answer.json['code'], 'malformed_request');
  }
});
