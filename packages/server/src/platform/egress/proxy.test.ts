import assert from 'node:assert/strict';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { maySent, type ProxySettings } from './index.ts';
import { errorOf, fixture, listen, openEgress, serve } from './test-support.ts';

const server = { cert: fixture('server.pem'), key: fixture('server.key') };
const ca = fixture('ca.pem');

/** A proxy that opens the tunnels it is asked for, or answers with `status`. */
async function proxy(t: TestContext, { status = 200, encrypted = false } = {}) {
  const asked: { target: string; headers: Record<string, unknown> }[] = [];
  const made: Server = encrypted ? createHttpsServer(server) : createHttpServer();
  made.on('connect', (request, socket: Socket, head: Buffer) => {
    asked.push({ target: request.url ?? '', headers: request.headers });
    if (status !== 200) return socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
    return undefined;
  });
  const port = await listen(t, made);
  const url = new URL(`${encrypted ? 'https' : 'http'}://127.0.0.1:${port}`);
  return { asked, settings: { url, ...(encrypted ? { tls: { ca } } : {}) } satisfies ProxySettings };
}

const names = {
  'inside.test': [['127.0.0.1']],
  'secure.test': [['127.0.0.1']],
  'private.test': [['10.0.0.1']],
};
const allow = '127.0.0.1';

describe('a proxy', () => {
  it('is told the address that was checked, and the other side the name', async (t) => {
    const { asked, settings } = await proxy(t);
    const { port } = await serve(t, (request, response) => response.end(request.headers.host));
    const egress = openEgress(t, { allow, names, proxy: { ...settings, authorization: 'Basic canary' } });
    const { body } = await egress.request({ url: `http://inside.test:${port}/` });
    assert.equal(await body.text(), `inside.test:${port}`);
    assert.equal(asked[0]?.target, `127.0.0.1:${port}`);
    assert.equal(asked[0]?.headers['proxy-authorization'], 'Basic canary');
  });

  it('carries encryption it cannot look into', async (t) => {
    const { asked, settings } = await proxy(t);
    const port = await listen(
      t,
      createHttpsServer(server, (_, response) => response.end('ok')),
    );
    const egress = openEgress(t, { allow, names, proxy: settings });
    const { body } = await egress.request({ url: `https://secure.test:${port}/`, tls: { ca } });
    assert.equal(await body.text(), 'ok');
    assert.equal(asked[0]?.target, `127.0.0.1:${port}`);
    const wrong = await errorOf(egress.request({ url: `https://inside.test:${port}/`, tls: { ca } }));
    assert.equal(wrong.code, 'egress_tls_failed');
  });

  it('may be encrypted itself', async (t) => {
    const { settings } = await proxy(t, { encrypted: true });
    const { port } = await serve(t, (_, response) => response.end('ok'));
    const egress = openEgress(t, { allow, names, proxy: settings });
    assert.equal(await (await egress.request({ url: `http://inside.test:${port}/` })).body.text(), 'ok');
    const untrusted = openEgress(t, { allow, names, proxy: { url: settings.url } });
    const error = await errorOf(untrusted.request({ url: `http://inside.test:${port}/` }));
    assert.equal(error.code, 'egress_tls_failed');
    assert.equal(maySent(error), false);
  });

  it('is not asked for what is refused', async (t) => {
    const { asked, settings } = await proxy(t);
    const egress = openEgress(t, { allow, names, proxy: settings });
    for (const host of ['private.test', '10.0.0.1', '[::1]', '169.254.169.254'])
      assert.equal((await errorOf(egress.request({ url: `http://${host}/` }))).code, 'egress_refused');
    assert.deepEqual(asked, []);
  });

  it('serves sockets too', async (t) => {
    const { asked, settings } = await proxy(t);
    const port = await listen(
      t,
      createServer((socket) => socket.end('hello')),
    );
    const socket = await openEgress(t, { allow, names, proxy: settings }).connect({
      host: 'inside.test',
      port,
    });
    assert.equal((await socket.toArray()).join(''), 'hello');
    assert.equal(asked[0]?.target, `127.0.0.1:${port}`);
  });

  it('that says no, is away or hangs up is named; nothing was sent', async (t) => {
    const refusing = await proxy(t, { status: 407 });
    const hanging = await listen(
      t,
      createServer((socket) => socket.destroy()),
    );
    const silent = await listen(t, createServer());
    for (const [settings, code, message] of [
      [refusing.settings, 'egress_proxy_failed', /answered 407/],
      [{ url: new URL(`http://127.0.0.1:${hanging}`) }, 'egress_proxy_failed', /was lost/],
      [{ url: new URL('http://127.0.0.1:1') }, 'egress_proxy_failed', /cannot be reached/],
      [{ url: new URL(`http://127.0.0.1:${silent}`) }, 'egress_timeout', /Phase connect/],
    ] as const) {
      const egress = openEgress(t, { allow, names, proxy: settings, timeouts: { connect: 500 } });
      const error = await errorOf(egress.request({ url: 'http://inside.test/' }));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.equal(maySent(error), false);
    }
  });

  it('is never taken from the environment', async (t) => {
    const { asked, settings } = await proxy(t);
    const variables = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy'];
    for (const name of variables) process.env[name] = settings.url.href;
    process.env['NODE_USE_ENV_PROXY'] = '1';
    t.after(() => [...variables, 'NODE_USE_ENV_PROXY'].forEach((name) => delete process.env[name]));
    const { port } = await serve(t, (_, response) => response.end('ok'));
    await (await openEgress(t, { allow, names }).request({ url: `http://inside.test:${port}/` })).body.text();
    assert.deepEqual(asked, []);
  });
});
