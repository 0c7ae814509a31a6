import { randomBytes } from 'node:crypto';
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { getEventListeners } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { egressErrors, maySent } from './index.ts';
import { errorOf, listen, openEgress, serve } from './test-support.ts';

const allow = '127.0.0.1';

/** Resolves when the other side has seen the connection close. */
function closing(): { handler: (request: IncomingMessage) => void; closed: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { handler: (request) => request.socket.once('close', () => resolve()), closed: promise };
}

describe('times', () => {
  it('end a name that is never answered for', async (t) => {
    const egress = openEgress(t, { resolver: () => new Promise(() => undefined) });
    const error = await errorOf(egress.request({ url: 'http://slow.example/', timeouts: { connect: 30 } }));
    assert.match(error.message, /Phase connect did not end within 30 ms/);
    assert.equal(maySent(error), false);
  });

  it('end a handshake that does not get on, by the time of the hub', async (t) => {
    const port = await listen(t, createServer());
    const egress = openEgress(t, { allow, timeouts: { connect: 50 } });
    const error = await errorOf(egress.request({ url: `https://127.0.0.1:${port}/` }));
    assert.match(error.message, /Phase connect/);
    assert.equal(maySent(error), false);
  });

  it('end slow headers', async (t) => {
    const { handler, closed } = closing();
    const { port } = await serve(t, handler);
    const error = await errorOf(
      openEgress(t, { allow }).request({ url: `http://127.0.0.1:${port}/`, timeouts: { headers: 50 } }),
    );
    assert.equal(error.code, 'egress_timeout');
    assert.match(error.message, /Phase headers did not end within 50 ms/);
    assert.equal(maySent(error), true);
    await closed;
  });

  it('end headers that come a byte at a time', async (t) => {
    const port = await listen(
      t,
      createServer((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nx: ');
        const timer = setInterval(() => socket.write('x'), 10);
        socket.once('close', () => clearInterval(timer));
      }),
    );
    const error = await errorOf(
      openEgress(t, { allow }).request({ url: `http://127.0.0.1:${port}/`, timeouts: { headers: 100 } }),
    );
    assert.equal(error.code, 'egress_timeout');
  });

  it('end a body that stops', async (t) => {
    const { handler, closed } = closing();
    const { port } = await serve(t, (request, response) => {
      handler(request);
      response.write('half');
    });
    const { body } = await openEgress(t, { allow }).request({
      url: `http://127.0.0.1:${port}/`,
      timeouts: { body: 50 },
    });
    const error = await errorOf(body.text());
    assert.match(error.message, /Phase body/);
    await closed;
  });

  it('end a body that never ends, by the total', async (t) => {
    const { port } = await serve(t, (request, response) => {
      const timer = setInterval(() => response.write('x'), 5);
      request.socket.once('close', () => clearInterval(timer));
    });
    const { body } = await openEgress(t, { allow }).request({
      url: `http://127.0.0.1:${port}/`,
      timeouts: { total: 100 },
    });
    const error = await errorOf(body.text());
    assert.match(error.message, /Phase total did not end within 100 ms/);
  });

  it('end a body that nobody reads', async (t) => {
    const { handler, closed } = closing();
    const { port } = await serve(t, (request, response) => {
      handler(request);
      response.write('x');
    });
    await openEgress(t, { allow }).request({ url: `http://127.0.0.1:${port}/`, timeouts: { total: 50 } });
    await closed;
  });
});

describe('giving up', () => {
  it('before the start sends nothing', async (t) => {
    const { port, connections } = await serve(t, (_, response) => response.end());
    const egress = openEgress(t, { allow });
    const signal = AbortSignal.abort(new Error('cancelled'));
    const error = await errorOf(egress.request({ url: `http://127.0.0.1:${port}/`, signal }));
    assert.equal(error.code, 'egress_aborted');
    assert.equal((error.cause as Error).message, 'cancelled');
    assert.equal(maySent(error), false);
    assert.equal(connections(), 0);
  });

  it('while the name is looked up sends nothing', async (t) => {
    const ending = new AbortController();
    const egress = openEgress(t, {
      resolver: () => {
        ending.abort();
        return new Promise(() => undefined);
      },
    });
    const error = await errorOf(egress.request({ url: 'http://slow.example/', signal: ending.signal }));
    assert.equal(error.code, 'egress_aborted');
    assert.equal(maySent(error), false);
  });

  it('while the other side works frees the connection', async (t) => {
    const ending = new AbortController();
    const { handler, closed } = closing();
    const { port } = await serve(t, (request) => {
      handler(request);
      ending.abort();
    });
    const error = await errorOf(
      openEgress(t, { allow }).request({ url: `http://127.0.0.1:${port}/`, signal: ending.signal }),
    );
    assert.equal(error.code, 'egress_aborted');
    assert.equal(maySent(error), true);
    await closed;
  });

  it('in the middle of the body frees the connection', async (t) => {
    const ending = new AbortController();
    const { handler, closed } = closing();
    const { port } = await serve(t, (request, response) => {
      handler(request);
      response.write('half');
    });
    const { body } = await openEgress(t, { allow }).request({
      url: `http://127.0.0.1:${port}/`,
      signal: ending.signal,
    });
    const reading = errorOf(body.text());
    ending.abort();
    assert.equal((await reading).code, 'egress_aborted');
    await closed;
  });

  it('by discarding the body, or by leaving its loop, frees the connection', async (t) => {
    for (const leave of ['discard', 'loop', 'stream'] as const) {
      const { handler, closed } = closing();
      const { port } = await serve(t, (request, response) => {
        handler(request);
        response.write('half');
      });
      const { body } = await openEgress(t, { allow }).request({ url: `http://127.0.0.1:${port}/` });
      if (leave === 'discard') body.discard();
      else if (leave === 'loop') for await (const _ of body) break;
      else
        body.stream().on('data', function (this: { destroy(): void }) {
          this.destroy();
        });
      await closed;
    }
  });

  it('leaves no listener on a signal that lives longer', async (t) => {
    const { port } = await serve(t, (_, response) => response.end('ok'));
    const egress = openEgress(t, { allow });
    const { signal } = new AbortController();
    await (await egress.request({ url: `http://127.0.0.1:${port}/`, signal })).body.text();
    await errorOf(egress.request({ url: 'http://10.0.0.1/', signal }));
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
  });
});

describe('sizes', () => {
  const codings = {
    gzip: gzipSync,
    br: brotliCompressSync,
    zstd: zstdCompressSync,
    deflate: deflateSync,
    'raw deflate': deflateRawSync,
  };

  for (const [name, compress] of Object.entries(codings)) {
    const coding = name.replace('raw ', '');
    it(`unpacks ${name}`, async (t) => {
      const { port } = await serve(t, (_, response) => {
        const body = compress(Buffer.from('hello '.repeat(1000)));
        response.writeHead(200, { 'content-encoding': coding, 'content-length': body.length }).end(body);
      });
      const { headers, body } = await openEgress(t, { allow }).request({ url: `http://127.0.0.1:${port}/` });
      assert.equal(await body.text(), 'hello '.repeat(1000));
      assert.equal(headers['content-encoding'], undefined);
      assert.equal(headers['content-length'], undefined);
    });

    it(`stops a bomb of ${name}`, async (t) => {
      const { port } = await serve(t, (_, response) => {
        response.writeHead(200, { 'content-encoding': coding }).end(compress(Buffer.alloc(20_000_000)));
      });
      const { body } = await openEgress(t, { allow }).request({
        url: `http://127.0.0.1:${port}/`,
        limits: { decodedBytes: 1_000_000 },
      });
      let most = 0;
      const error = await errorOf(
        (async () => {
          for await (const chunk of body) most += chunk.length;
        })(),
      );
      assert.equal(error.code, 'egress_response_too_large');
      assert.ok(most <= 1_000_000);
    });

    it(`names a broken ${name}`, async (t) => {
      const { port } = await serve(t, (_, response) => {
        response
          .writeHead(200, { 'content-encoding': coding })
          .end(compress(randomBytes(10_000)).subarray(0, 3000));
      });
      const { body } = await openEgress(t, { allow }).request({ url: `http://127.0.0.1:${port}/` });
      assert.equal((await errorOf(body.text())).code, 'egress_response_broken');
    });
  }

  it('unpacks two layers, and refuses a tower of them', async (t) => {
    const { port } = await serve(t, (request, response) => {
      const coding = request.url === '/two' ? 'gzip, br' : 'gzip, gzip, gzip';
      response.writeHead(200, { 'content-encoding': coding }).end(brotliCompressSync(gzipSync('deep')));
    });
    const egress = openEgress(t, { allow });
    assert.equal(await (await egress.request({ url: `http://127.0.0.1:${port}/two` })).body.text(), 'deep');
    const error = await errorOf(egress.request({ url: `http://127.0.0.1:${port}/many` }));
    assert.equal(error.code, 'egress_response_broken');
    assert.equal(maySent(error), true);
  });

  it('leaves a body alone that it does not know, was told to leave, or that is empty', async (t) => {
    const packed = gzipSync('x');
    const { port } = await serve(t, (request, response) => {
      const unknown = request.url === '/unknown';
      response.setHeader('content-encoding', unknown ? 'sdch' : 'gzip');
      response.end(request.url === '/empty' ? '' : packed);
    });
    const egress = openEgress(t, { allow });
    const open = async (path: string, request = {}) =>
      egress.request({ url: `http://127.0.0.1:${port}/${path}`, ...request });
    const unknown = await open('unknown');
    assert.equal(unknown.headers['content-encoding'], 'sdch');
    assert.deepEqual(await unknown.body.bytes(), packed);
    assert.deepEqual(await (await open('', { decompress: false })).body.bytes(), packed);
    assert.equal(await (await open('empty')).body.text(), '');
    assert.equal(await (await open('', { method: 'HEAD' })).body.text(), '');
  });

  it('stop a body that says it is too large at once, and one that does not when it is', async (t) => {
    const { port } = await serve(t, (request, response) => {
      if (request.url === '/said') response.setHeader('content-length', '2000');
      response.write('x'.repeat(2000));
      response.end();
    });
    const egress = openEgress(t, { allow });
    const limits = { bytes: 1000 };
    const said = await errorOf(egress.request({ url: `http://127.0.0.1:${port}/said`, limits }));
    assert.equal(said.code, 'egress_response_too_large');
    assert.equal(maySent(said), true);
    const read = async () => (await egress.request({ url: `http://127.0.0.1:${port}/`, limits })).body.text();
    assert.equal((await errorOf(read())).code, 'egress_response_too_large');
    const { body } = await egress.request({ url: `http://127.0.0.1:${port}/` });
    assert.match((await errorOf(body.text(1999))).message, /larger than 1999 bytes/);
    assert.equal(
      (await (await egress.request({ url: `http://127.0.0.1:${port}/` })).body.text(2000)).length,
      2000,
    );
  });

  it('stop headers that are too large', async (t) => {
    const { port } = await serve(t, (_, response) => response.setHeader('x', 'y'.repeat(20_000)).end());
    const egress = openEgress(t, { allow, limits: { headerBytes: 8192 } });
    const error = await errorOf(egress.request({ url: `http://127.0.0.1:${port}/` }));
    assert.equal(error.code, 'egress_response_too_large');
    assert.match(error.message, /8192/);
  });

  it('name an answer that is not HTTP', async (t) => {
    const port = await listen(
      t,
      createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n')),
    );
    const error = await errorOf(openEgress(t, { allow }).request({ url: `http://127.0.0.1:${port}/` }));
    assert.equal(error.code, 'egress_response_broken');
    assert.equal(maySent(error), true);
  });
});

describe('errors', () => {
  it('that are not known may have been sent', () => {
    for (const error of [new Error('x'), undefined, 'x', egressErrors.egress_dns_failed()])
      assert.equal(maySent(error), true);
  });
});
