import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { maySent } from './index.ts';
import type { Outgoing } from './outgoing.ts';
import { redirected } from './redirect.ts';
import { errorOf, openEgress, serve } from './test-support.ts';

const sent = (method: string, body?: string | Readable): Outgoing => ({
  url: new URL('https://a.example/start'),
  method,
  headers: {
    'Content-Type': 'text/plain',
    Authorization: 'canary',
    Cookie: 'canary',
    'X-Key': 'canary',
    accept: '*/*',
  },
  body,
});

describe('a redirect', () => {
  const METHODS: readonly (readonly [status: number, method: string, becomes: string])[] = [
    [301, 'GET', 'GET'],
    [301, 'POST', 'GET'],
    [301, 'PUT', 'PUT'],
    [302, 'POST', 'GET'],
    [302, 'DELETE', 'DELETE'],
    [302, 'HEAD', 'HEAD'],
    [303, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [303, 'HEAD', 'HEAD'],
    [307, 'POST', 'POST'],
    [308, 'PUT', 'PUT'],
  ];
  for (const [status, method, becomes] of METHODS)
    it(`${status} turns ${method} into ${becomes}`, () => {
      const next = redirected({}, sent(method, 'body'), status, '/next');
      assert.equal(next.method, becomes);
      const changed = becomes !== method;
      assert.equal(next.body, changed ? undefined : 'body');
      assert.equal('Content-Type' in next.headers, !changed);
    });

  it('keeps credentials on the same origin and loses them on another, for good', () => {
    const request = { secretHeaders: ['x-key'] };
    assert.partialDeepStrictEqual(redirected(request, sent('GET'), 302, '/next').headers, {
      Authorization: 'canary',
      Cookie: 'canary',
      'X-Key': 'canary',
    });
    for (const other of [
      'https://b.example/',
      'https://a.example:8443/',
      '//b.example/',
      'https://a.example.b.example/',
    ]) {
      const next = redirected(request, sent('GET'), 302, other);
      assert.deepEqual(next.headers, { 'Content-Type': 'text/plain', accept: '*/*' }, other);
      assert.doesNotMatch(JSON.stringify(redirected(request, next, 302, 'https://a.example/')), /canary/);
    }
  });

  it('does not lead from https to http unless that was wanted', () => {
    assert.throws(() => redirected({}, sent('GET'), 302, 'http://a.example/'), {
      code: 'egress_redirect_refused',
    });
    assert.equal(
      redirected({ allowDowngrade: true }, sent('GET'), 302, 'http://a.example/').url.protocol,
      'http:',
    );
  });

  it('does not send a stream twice', () => {
    assert.throws(() => redirected({}, sent('POST', Readable.from(['x'])), 307, '/'), {
      code: 'egress_redirect_refused',
    });
    assert.equal(redirected({}, sent('POST', Readable.from(['x'])), 303, '/').method, 'GET');
  });
});

/** A server whose paths redirect to the text after `?to=`; everything else is answered. */
async function redirecting(t: TestContext) {
  const seen: { url: string; method: string; headers: IncomingHttpHeaders }[] = [];
  const { port, connections } = await serve(t, (request, response) => {
    const { url = '', method = '', headers } = request;
    seen.push({ url, method, headers });
    const to = new URL(url, 'http://x').searchParams.get('to');
    if (to === null) return response.end('arrived');
    return response.writeHead(302, { location: to }).end('moved');
  });
  const start = (to: string): string => `http://127.0.0.1:${port}/start?to=${encodeURIComponent(to)}`;
  return { port, seen, start, connections };
}

describe('redirects', () => {
  it('are followed, relative ones too', async (t) => {
    const { port, start } = await redirecting(t);
    const egress = openEgress(t, { allow: '127.0.0.1' });
    const response = await egress.request({ url: start('deeper/next?to=../end') });
    assert.equal(await response.body.text(), 'arrived');
    assert.equal(response.url, `http://127.0.0.1:${port}/end`);
    assert.equal(response.redirects, 2);
  });

  it('are the answer when asked for', async (t) => {
    const { start } = await redirecting(t);
    const egress = openEgress(t, { allow: '127.0.0.1' });
    const response = await egress.request({ url: start('http://10.0.0.1/'), redirect: 'manual' });
    assert.equal(response.status, 302);
    assert.equal(response.headers['location'], 'http://10.0.0.1/');
    assert.equal(await response.body.text(), 'moved');
  });

  for (const to of [
    'http://127.0.0.2/',
    'http://[::1]/',
    'http://10.0.0.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://inside.example/',
    'http://[::ffff:127.0.0.1]/',
    '//127.0.0.2/',
    'https://127.0.0.2/',
  ])
    it(`to ${to} are checked like every address`, async (t) => {
      const { start } = await redirecting(t);
      const egress = openEgress(t, { allow: '127.0.0.1', names: { 'inside.example': [['127.0.0.2']] } });
      const error = await errorOf(egress.request({ url: start(to) }));
      assert.equal(error.code, 'egress_refused');
      assert.equal(maySent(error), true, 'the first request was sent');
    });

  for (const to of [
    'file:///etc/passwd',
    'http://user:pass@example.com/',
    'http://0x7f.1/',
    'http://2130706433/',
    '\\\\example.com',
    '/\\example.com',
    'http://',
    'http://[fe80::1%25lo]/',
    'http://example.com:0/',
    'javascript:1',
  ])
    it(`to ${to} are no address`, async (t) => {
      const { start } = await redirecting(t);
      const error = await errorOf(openEgress(t, { allow: '127.0.0.1' }).request({ url: start(to) }));
      assert.equal(error.code, 'egress_bad_url');
      assert.equal(maySent(error), true);
    });

  it('to another origin are not told what belongs to the first', async (t) => {
    const first = await redirecting(t);
    const second = await redirecting(t);
    const egress = openEgress(t, { allow: '127.0.0.1' });
    const headers = { Authorization: 'canary', cookie: 'canary', 'X-Api-Key': 'canary', 'x-plain': 'kept' };
    const url = first.start(`http://127.0.0.1:${second.port}/end`);
    await (await egress.request({ url, headers, secretHeaders: ['x-api-key'] })).body.text();
    assert.match(JSON.stringify(first.seen), /canary/);
    assert.doesNotMatch(JSON.stringify(second.seen), /canary/);
    assert.equal(second.seen[0]?.headers['x-plain'], 'kept');
    assert.equal(second.seen[0]?.headers.host, `127.0.0.1:${second.port}`);
  });

  it('end after five, or as many as were allowed', async (t) => {
    let hops = 0;
    const { port } = await serve(t, (_, response) =>
      response.writeHead(302, { location: `/${++hops}` }).end(),
    );
    const egress = openEgress(t, { allow: '127.0.0.1' });
    for (const [redirect, requests] of [
      ['follow', 6],
      [2, 3],
      [0, 1],
    ] as const) {
      hops = 0;
      const error = await errorOf(egress.request({ url: `http://127.0.0.1:${port}/`, redirect }));
      assert.equal(error.code, 'egress_too_many_redirects');
      assert.equal(hops, requests);
      assert.equal(maySent(error), true);
    }
  });

  it('share one total time', async (t) => {
    const { port } = await serve(t, (_, response) => {
      const timer = setTimeout(() => response.writeHead(302, { location: '/again' }).end(), 40);
      response.once('close', () => clearTimeout(timer));
    });
    const egress = openEgress(t, { allow: '127.0.0.1' });
    const error = await errorOf(
      egress.request({ url: `http://127.0.0.1:${port}/`, redirect: 1000, timeouts: { total: 150 } }),
    );
    assert.match(error.message, /Phase total/);
    assert.equal(maySent(error), true);
  });

  it('to a server that is away: the first request was sent all the same', async (t) => {
    const { start } = await redirecting(t);
    const egress = openEgress(t, { allow: '127.0.0.1' });
    const error = await errorOf(egress.request({ url: start('http://nowhere.example/') }));
    assert.equal(error.code, 'egress_dns_failed');
    assert.equal(maySent(error), true);
  });
});
