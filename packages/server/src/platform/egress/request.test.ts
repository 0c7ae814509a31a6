import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createSocketServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { maySent, type EgressRequest } from './index.ts';
import { errorOf, listen, openEgress, serve } from './test-support.ts';

const allow = '127.0.0.1';

describe('a request', () => {
  it('sends method, headers and body, and gives back status, headers and body', async (t) => {
    const { port } = await serve(t, (request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => void (body += text));
      request.on('end', () => {
        const { method, url, headers } = request;
        response.writeHead(201, { 'x-list': ['a', 'b'], 'content-type': 'application/json' });
        response.end(JSON.stringify({ method, url, body, headers }));
      });
    });
    const egress = openEgress(t, { allow });
    const url = `http://127.0.0.1:${port}/a%20b?q=1&q=2#part`;
    for (const body of ['héllo', Buffer.from('héllo'), Readable.from(['hé', Buffer.from('llo')])]) {
      const response = await egress.request({
        method: 'post',
        url,
        headers: { 'X-One': '1', accept: ['a', 'b'] },
        body,
      });
      assert.equal(response.status, 201);
      assert.equal(response.headers['x-list']?.toString(), 'a,b');
      assert.equal(response.url, url);
      assert.equal(response.redirects, 0);
      const seen = JSON.parse(await response.body.text()) as { headers: Record<string, string> };
      assert.partialDeepStrictEqual(seen, { method: 'POST', url: '/a%20b?q=1&q=2', body: 'héllo' });
      assert.partialDeepStrictEqual(seen.headers, {
        'x-one': '1',
        accept: 'a, b',
        host: `127.0.0.1:${port}`,
        'user-agent': 'Linkspan',
        'accept-encoding': 'gzip, deflate, br, zstd',
      });
    }
  });

  it('takes answers of every status as answers', async (t) => {
    const { port } = await serve(t, (request, response) =>
      response.writeHead(Number(request.url?.slice(1))).end(),
    );
    const egress = openEgress(t, { allow });
    for (const status of [204, 304, 400, 404, 429, 500, 503]) {
      const { status: got, body } = await egress.request({ url: `http://127.0.0.1:${port}/${status}` });
      assert.equal(got, status);
      assert.equal(await body.text(), '');
    }
  });

  it('reads a body once: as bytes, as text, piece by piece, or as a stream', async (t) => {
    const { port } = await serve(t, (_, response) => response.end('x'.repeat(300_000)));
    const egress = openEgress(t, { allow });
    const open = async () => (await egress.request({ url: `http://127.0.0.1:${port}/` })).body;
    assert.equal((await (await open()).bytes()).length, 300_000);
    assert.equal((await (await open()).text()).length, 300_000);
    let size = 0;
    for await (const chunk of await open()) size += chunk.length;
    assert.equal(size, 300_000);
    assert.equal(
      (await (await open()).stream().toArray()).reduce((sum, { length }) => sum + length, 0),
      300_000,
    );
    const body = await open();
    await body.text();
    await assert.rejects(body.text(), /read once/);
  });

  it('goes no faster than its body is read', async (t) => {
    let sent = 0;
    const { port } = await serve(t, (request, response) => {
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        while (sent < 50_000_000 && !request.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    const egress = openEgress(t, { allow, limits: { bytes: 100_000_000 } });
    const { body } = await egress.request({ url: `http://127.0.0.1:${port}/` });
    const pieces = body[Symbol.asyncIterator]();
    await pieces.next();
    for (let turn = 0; turn < 200; turn++) await setImmediate();
    assert.ok(sent < 45_000_000, `${sent} bytes were sent to a reader of one piece`);
    let size = 0;
    for (let piece = await pieces.next(); !piece.done; piece = await pieces.next())
      size += piece.value.length;
    assert.ok(size > 49_000_000);
  });

  const UNSENDABLE: Readonly<Record<string, Partial<EgressRequest>>> = {
    'a line break in a header': { headers: { a: 'b\r\nc: d' } },
    'a line feed in a header': { headers: { a: 'b\nc' } },
    'a NUL in a header': { headers: { a: 'b\0' } },
    'a line break in a list': { headers: { a: ['b', 'c\r\nd: e'] } },
    'a line break in a name': { headers: { 'a\r\nb': 'c' } },
    'an empty name': { headers: { '': 'c' } },
    'a space in a name': { headers: { 'a b': 'c' } },
    'a host of its own': { headers: { Host: 'other' } },
    'a transfer encoding': { headers: { 'Transfer-Encoding': 'chunked' } },
    'a connection header': { headers: { connection: 'close' } },
    'an upgrade': { headers: { upgrade: 'websocket' } },
    'an expectation': { headers: { expect: '100-continue' } },
    'a wrong length': { headers: { 'content-length': '3' }, method: 'POST', body: 'four' },
    'a length that is none': { headers: { 'content-length': '-1' }, method: 'POST', body: 'four' },
    'a line break in the method': { method: 'GET / HTTP/1.1\r\nX:' },
    'the method CONNECT': { method: 'CONNECT' },
    'the method TRACE': { method: 'trace' },
    'an empty method': { method: '' },
    'a body of a GET': { body: 'x' },
  };
  for (const [name, request] of Object.entries(UNSENDABLE))
    it(`is refused with ${name}, before anything is sent`, async (t) => {
      let requests = 0;
      const { port } = await serve(t, (_, response) => response.end(String(requests++)));
      const egress = openEgress(t, { allow });
      const error = await errorOf(egress.request({ url: `http://127.0.0.1:${port}/`, ...request }));
      assert.equal(error.code, 'egress_bad_request');
      assert.equal(maySent(error), false);
      assert.equal(requests, 0);
    });

  it('tells a broken body of the caller from a broken connection', async (t) => {
    const { port } = await serve(t, (request) => request.resume());
    async function* broken(): AsyncGenerator<string> {
      yield 'half';
      throw new Error('the file is gone');
    }
    const error = await errorOf(
      openEgress(t, { allow }).request({ method: 'PUT', url: `http://127.0.0.1:${port}/`, body: broken() }),
    );
    assert.equal(error.code, 'egress_bad_request');
    assert.match(error.message, /body of the request could not be read/);
    assert.equal(maySent(error), true);
  });

  it('is counted by target and outcome, and the targets are bounded', async (t) => {
    const { port } = await serve(t, (_, response) => response.end());
    const egress = openEgress(t, { allow });
    const url = `http://127.0.0.1:${port}/`;
    for (let i = 0; i < 205; i++) (await egress.request({ url, target: `t${i}` })).body.discard();
    await errorOf(egress.request({ url: 'http://10.0.0.1/', target: 't1' }));
    const metrics = await egress.registry.metrics();
    assert.match(metrics, /linkspan_egress_requests_total\{target="t1",outcome="answered"\} 1/);
    assert.match(metrics, /linkspan_egress_requests_total\{target="t1",outcome="egress_refused"\} 1/);
    assert.match(metrics, /linkspan_egress_requests_total\{target="other",outcome="answered"\} 5/);
    assert.match(metrics, /linkspan_egress_seconds_count\{target="t1"\} 2/);
  });
});

describe('connections', () => {
  it('that nobody listens for fail before anything is sent', async (t) => {
    const port = await listen(t, createSocketServer());
    const egress = openEgress(t, { allow });
    const unused = createSocketServer();
    unused.listen(0, '127.0.0.1');
    await once(unused, 'listening');
    const { port: free } = unused.address() as { port: number };
    unused.close();
    await once(unused, 'close');
    assert.notEqual(free, port);
    const error = await errorOf(egress.request({ url: `http://127.0.0.1:${free}/` }));
    assert.equal(error.code, 'egress_connect_failed');
    assert.match(error.message, /ECONNREFUSED/);
    assert.equal(maySent(error), false);
  });

  it('that are cut after the request may have delivered it', async (t) => {
    const { port } = await serve(t, (request) => request.socket.destroy());
    const error = await errorOf(
      openEgress(t, { allow }).request({ method: 'POST', url: `http://127.0.0.1:${port}/`, body: 'x' }),
    );
    assert.equal(error.code, 'egress_reset');
    assert.equal(maySent(error), true);
  });

  it('that are cut in the middle of the answer say so to the reader, packed or not', async (t) => {
    const { port } = await serve(t, (request, response) => {
      const packed = request.url === '/packed' ? { 'content-encoding': 'gzip' } : {};
      response.writeHead(200, { 'content-length': '100', ...packed });
      response.write(gzipSync('half'), () => response.destroy());
    });
    for (const path of ['plain', 'packed']) {
      const { body } = await openEgress(t, { allow }).request({ url: `http://127.0.0.1:${port}/${path}` });
      const error = await errorOf(body.text());
      assert.equal(error.code, 'egress_reset', path);
      assert.equal(maySent(error), true);
    }
  });

  it('that the server closes while they are idle are replaced', async (t) => {
    const sockets: Socket[] = [];
    const { port, server, connections } = await serve(t, (_, response) => response.end('ok'));
    server.on('connection', (socket: Socket) => sockets.push(socket));
    const egress = openEgress(t, { allow });
    for (let round = 1; round <= 3; round++) {
      assert.equal(await (await egress.request({ url: `http://127.0.0.1:${port}/` })).body.text(), 'ok');
      const socket = sockets.pop()!;
      socket.end();
      await once(socket, 'close');
      assert.equal(connections(), round);
    }
  });

  it('that close at the moment of the next request never pretend that it was not sent', async (t) => {
    // The server takes the second request off the wire and closes instead of answering: the race of keep-alive.
    let requests = 0;
    const { port } = await serve(t, (request, response) => {
      if (++requests % 2 === 0) request.socket.resetAndDestroy();
      else response.end('ok');
    });
    const egress = openEgress(t, { allow, pools: { connectionsPerOrigin: 1 } });
    const url = `http://127.0.0.1:${port}/`;
    await (await egress.request({ url })).body.text();
    const error = await errorOf(egress.request({ method: 'POST', url, body: 'x' }));
    assert.equal(error.code, 'egress_reset');
    assert.equal(maySent(error), true);
    assert.equal(await (await egress.request({ url })).body.text(), 'ok');
    assert.equal(requests, 3);
  });

  it('are bounded per origin; what waits for one too long was not sent', async (t) => {
    const held: (() => void)[] = [];
    const seen: (string | undefined)[] = [];
    const { port, connections } = await serve(t, (request, response) => {
      seen.push(request.url);
      if (held.length < 2) held.push(() => response.end('ok'));
      else response.end('ok');
    });
    const egress = openEgress(t, { allow, pools: { connectionsPerOrigin: 2 } });
    const open = (path: string, timeouts = {}) =>
      egress.request({ url: `http://127.0.0.1:${port}/${path}`, timeouts });
    const first = [open('held'), open('held')];
    const error = await errorOf(open('late', { connect: 50 }));
    assert.equal(error.code, 'egress_timeout');
    assert.match(error.message, /Phase connect/);
    assert.equal(maySent(error), false);
    while (held.length < 2) await setImmediate();
    assert.equal(connections(), 2);
    for (const answer of held) answer();
    for (const response of first) assert.equal(await (await response).body.text(), 'ok');
    for (let i = 0; i < 4; i++) await (await open('next')).body.text();
    assert.deepEqual(new Set(seen), new Set(['/held', '/next']));
  });

  it('are closed when nobody uses them, and when there are too many origins', async (t) => {
    const closed: string[] = [];
    const ports: number[] = [];
    for (const name of ['a', 'b', 'c']) {
      const { server, port } = await serve(t, (_, response) => response.end('ok'));
      server.on('connection', (socket) => socket.once('close', () => closed.push(name)));
      ports.push(port);
    }
    const timers: (() => void)[] = [];
    let now = 0;
    const egress = openEgress(t, {
      allow,
      pools: { origins: 2, idleMs: 1000 },
      clock: {
        now: () => now,
        after(ms, work) {
          if (ms === 1000) timers.push(work);
          return () => undefined;
        },
        sleep: () => Promise.resolve(),
      },
    });
    for (const port of ports) {
      now += 10;
      await (await egress.request({ url: `http://127.0.0.1:${port}/` })).body.text();
      await setImmediate();
    }
    while (closed.length < 1) await setImmediate();
    assert.deepEqual(closed, ['a']);
    now = 1025;
    timers.shift()?.();
    while (closed.length < 2) await setImmediate();
    assert.deepEqual(closed, ['a', 'b']);
  });

  it('end with the hub, and so do the requests on them', async (t) => {
    const { port } = await serve(t, () => undefined);
    const egress = openEgress(t, { allow });
    const ending = errorOf(egress.request({ url: `http://127.0.0.1:${port}/` }));
    await setImmediate();
    await egress.close();
    assert.equal((await ending).code, 'egress_aborted');
    assert.equal(
      (await errorOf(egress.request({ url: `http://127.0.0.1:${port}/` }))).code,
      'egress_aborted',
    );
  });
});
