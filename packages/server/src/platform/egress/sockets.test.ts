import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { maySent } from './index.ts';
import { errorOf, fixture, listen, openEgress, type TestEgress } from './test-support.ts';

const server = { cert: fixture('server.pem'), key: fixture('server.key') };
const ca = fixture('ca.pem');
const client = { cert: fixture('client.pem'), key: fixture('client.key') };
const names = { 'secure.test': [['127.0.0.1']], 'other.test': [['127.0.0.1']] };

function open(t: TestContext): TestEgress {
  return openEgress(t, { allow: '127.0.0.1', names });
}

async function echo(t: TestContext): Promise<number> {
  return listen(
    t,
    createServer((socket) => socket.pipe(socket)),
  );
}

async function answerOf(socket: Socket): Promise<string> {
  socket.write('ping');
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return data.toString();
}

describe('a socket', () => {
  it('leads to what is allowed', async (t) => {
    const port = await echo(t);
    assert.equal(await answerOf(await open(t).connect({ host: 'SECURE.test.', port })), 'ping');
    assert.equal(await answerOf(await open(t).connect({ host: '127.0.0.1', port })), 'ping');
  });

  it('reaches IPv6', async (t) => {
    const port = await listen(
      t,
      createServer((socket) => socket.pipe(socket)),
      '::1',
    );
    assert.equal(
      await answerOf(await openEgress(t, { allow: '::1' }).connect({ host: '::1', port })),
      'ping',
    );
  });

  it('is encrypted from the first byte, or later on', async (t) => {
    const port = await listen(
      t,
      createTlsServer(server, (socket) => socket.pipe(socket)),
    );
    const egress = open(t);
    const encrypted = await egress.connect({ host: 'secure.test', port, tls: { ca } });
    assert.equal((encrypted as TLSSocket).authorized, true);
    assert.equal(await answerOf(encrypted), 'ping');
    const plain = await egress.connect({ host: 'secure.test', port });
    assert.equal(await answerOf(await egress.secure(plain, { host: 'secure.test', tls: { ca } })), 'ping');
  });

  it('offers the protocols it is told to', async (t) => {
    const port = await listen(
      t,
      createTlsServer({ ...server, ALPNProtocols: ['postgresql'] }, (socket) => socket.pipe(socket)),
    );
    const socket = await open(t).connect({
      host: 'secure.test',
      port,
      tls: { ca },
      protocols: ['postgresql'],
    });
    assert.equal((socket as TLSSocket).alpnProtocol, 'postgresql');
    socket.destroy();
  });

  it('is given up by its signal and its time, with nothing left open', async (t) => {
    const port = await listen(t, createServer());
    const egress = open(t);
    const late = await errorOf(egress.connect({ host: 'secure.test', port, tls: { ca }, timeout: 30 }));
    assert.match(late.message, /Phase connect did not end within 30 ms/);
    const ending = new AbortController();
    const connecting = errorOf(
      egress.connect({ host: 'secure.test', port, tls: { ca }, signal: ending.signal }),
    );
    ending.abort();
    const error = await connecting;
    assert.equal(error.code, 'egress_aborted');
    assert.equal(maySent(error), false);
  });

  it('closes when it could not be encrypted', async (t) => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const port = await listen(
      t,
      createServer((socket) => socket.once('close', () => resolve()).resume()),
    );
    const egress = open(t);
    const plain = await egress.connect({ host: 'secure.test', port });
    assert.equal(
      (await errorOf(egress.secure(plain, { host: 'secure.test', timeout: 30 }))).code,
      'egress_timeout',
    );
    await closed;
  });
});

describe('encryption', () => {
  async function https(t: TestContext, options = {}): Promise<number> {
    return listen(
      t,
      createHttpsServer({ ...server, ...options }, (request, response) =>
        response.end((request.socket as TLSSocket).getPeerCertificate().subject?.CN?.toString() ?? 'nobody'),
      ),
    );
  }

  it('trusts the authority it is given', async (t) => {
    const port = await https(t);
    const { body } = await open(t).request({ url: `https://secure.test:${port}/`, tls: { ca } });
    assert.equal(await body.text(), 'nobody');
    const byAddress = await open(t).request({ url: `https://127.0.0.1:${port}/`, tls: { ca: [ca] } });
    assert.equal(await byAddress.body.text(), 'nobody');
  });

  it('trusts nobody else, whatever the environment says', async (t) => {
    const port = await https(t);
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);
    const error = await errorOf(open(t).request({ url: `https://secure.test:${port}/` }));
    assert.equal(error.code, 'egress_tls_failed');
    assert.match(error.message, /UNABLE_TO_VERIFY_LEAF_SIGNATURE/);
    assert.equal(maySent(error), false);
  });

  it('insists on the name, and takes another only when it is told', async (t) => {
    const port = await https(t);
    const error = await errorOf(open(t).request({ url: `https://other.test:${port}/`, tls: { ca } }));
    assert.match(error.message, /ERR_TLS_CERT_ALTNAME_INVALID/);
    const { status } = await open(t).request({
      url: `https://other.test:${port}/`,
      tls: { ca, servername: 'secure.test' },
    });
    assert.equal(status, 200);
  });

  it('shows a client certificate, on connections of its own', async (t) => {
    const port = await https(t, { ca, requestCert: true, rejectUnauthorized: false });
    const egress = open(t);
    const url = `https://secure.test:${port}/`;
    assert.equal(await (await egress.request({ url, tls: { ca, ...client } })).body.text(), 'client');
    assert.equal(await (await egress.request({ url, tls: { ca } })).body.text(), 'nobody');
    assert.equal(await (await egress.request({ url, tls: { ca, ...client } })).body.text(), 'client');
  });

  it('does not show the client certificate to the origin a redirect leads to', async (t) => {
    const second = await https(t, { ca, requestCert: true, rejectUnauthorized: false });
    const first = await listen(
      t,
      createHttpsServer(server, (_, response) =>
        response.writeHead(302, { location: `https://secure.test:${second}/` }).end(),
      ),
    );
    // The settings, its authority among them, are left behind: the second server is not even trusted.
    const error = await errorOf(
      open(t).request({ url: `https://secure.test:${first}/`, tls: { ca, ...client } }),
    );
    assert.equal(error.code, 'egress_tls_failed');
  });

  it('names settings that cannot be used', async (t) => {
    const port = await https(t);
    for (const tls of [
      { ca: 'no PEM', cert: 'no PEM' },
      { ...client, key: 'no PEM' },
      { cert: client.cert, key: server.key },
    ]) {
      const error = await errorOf(open(t).request({ url: `https://secure.test:${port}/`, tls }));
      assert.equal(error.code, 'egress_tls_failed');
      assert.match(error.message, /cannot be used/);
      assert.equal(maySent(error), false);
    }
  });

  it('with a server that speaks none fails before anything is sent', async (t) => {
    let seen = '';
    const port = await listen(
      t,
      createServer((socket) =>
        socket.on('data', (data) => void (seen += data.toString('latin1'))).end('HTTP/1.1 400 Bad\r\n\r\n'),
      ),
    );
    const error = await errorOf(
      open(t).request({
        url: `https://secure.test:${port}/`,
        headers: { authorization: 'canary' },
        tls: { ca },
      }),
    );
    assert.equal(error.code, 'egress_tls_failed');
    assert.equal(maySent(error), false);
    assert.doesNotMatch(seen, /canary/);
  });
});
