import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { connectors } from '@linkspan/connectors';
import { attemptOf, CANARY, executorFor, serve } from './testing.ts';

/** The connector http against real servers, through the real way out. */

type Handler = (request: IncomingMessage & { text: string }, response: ServerResponse) => void;

async function start(t: TestContext, handler: Handler, allow?: string) {
  const { url, host } = await serve(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () =>
      handler(Object.assign(request, { text: Buffer.concat(chunks).toString('latin1') }), response),
    );
  });
  const { executor, lines } = executorFor(t, connectors, allow);
  const send = (input: Record<string, unknown>) =>
    executor.execute(attemptOf('http/request', { url, ...input }));
  async function answer(input: Record<string, unknown> = {}) {
    const outcome = await send(input);
    assert.ok(outcome.kind === 'succeeded', JSON.stringify(outcome));
    return JSON.parse(outcome.output) as {
      status: number;
      url: string;
      headers: Record<string, string | string[]>;
      body: unknown;
      bodyFormat: string;
    };
  }
  async function error(input: Record<string, unknown> = {}) {
    const outcome = await send(input);
    assert.ok('error' in outcome, JSON.stringify(outcome));
    return { kind: outcome.kind, ...outcome.error };
  }
  return { url, host, answer, error, lines };
}

/** Tells what arrived. */
const mirror: Handler = ({ method, url, headers, text }, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ method, url, type: headers['content-type'], headers, text }));
};

test('every method, with what the address, the query and the headers say', async (t) => {
  const { answer, url } = await start(t, mirror);
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const {
      status,
      body,
      bodyFormat,
      url: from,
    } = await answer({
      method,
      url: `${url}/a?b=1`,
      query: { c: ['x', 2], d: true },
      headers: { 'X-Own': 'yes' },
    });
    assert.deepEqual([status, bodyFormat, from], [200, 'json', `${url}/a?b=1&c=x&c=2&d=true`]);
    const arrived = body as { method: string; url: string; headers: Record<string, string> };
    assert.deepEqual([arrived.method, arrived.url], [method, '/a?b=1&c=x&c=2&d=true']);
    assert.equal(arrived.headers['x-own'], 'yes');
  }
  const head = await answer({ method: 'HEAD' });
  assert.deepEqual([head.status, head.body, head.bodyFormat], [200, null, 'none']);
});

test('a body is JSON, a form, a text or bytes, with its type', async (t) => {
  const { answer, error } = await start(t, mirror);
  const arrived = async (body: unknown, headers = {}) => {
    const { type, text } = (await answer({ method: 'POST', body, headers })).body as Record<string, string>;
    return [type, text];
  };
  assert.deepEqual(await arrived({ json: { a: [null] } }), ['application/json', '{"a":[null]}']);
  assert.deepEqual(await arrived({ json: null }), ['application/json', 'null']);
  assert.deepEqual(await arrived({ form: { a: '1&2', b: [1, 2] } }), [
    'application/x-www-form-urlencoded',
    'a=1%262&b=1&b=2',
  ]);
  assert.deepEqual(await arrived({ text: 'plain' }), ['text/plain; charset=utf-8', 'plain']);
  assert.deepEqual(await arrived({ text: '<a/>', contentType: 'application/xml' }), [
    'application/xml',
    '<a/>',
  ]);
  assert.deepEqual(await arrived({ base64: 'AP8=' }), ['application/octet-stream', '\u0000\u00ff']);
  assert.deepEqual(await arrived({ json: 1 }, { 'Content-Type': 'application/x+json' }), [
    'application/x+json',
    '1',
  ]);
  assert.equal((await error({ body: { text: 'no' } })).code, 'egress_bad_request');
  assert.equal((await error({ method: 'POST', body: { json: 1, text: 'both' } })).code, 'input_invalid');
  assert.equal((await error({ method: 'POST', body: { base64: 'A' } })).code, 'input_invalid');
});

test('an answer is read by its type, and nothing of it is lost', async (t) => {
  const kinds: Record<string, [string | undefined, Buffer]> = {
    '/json': ['application/json', Buffer.from('{"a":1}')],
    '/problem': ['application/problem+json; charset=utf-8', Buffer.from('[1]')],
    '/broken': ['application/json', Buffer.from('{"a":')],
    '/latin': ['text/plain; charset=iso-8859-1', Buffer.from([0xe9])],
    '/odd': ['text/plain; charset=none-such', Buffer.from('é')],
    '/xml': ['application/atom+xml', Buffer.from('<a/>')],
    '/bytes': ['image/png', Buffer.from([0, 255])],
    '/untyped': [undefined, Buffer.from('x')],
    '/empty': ['application/json', Buffer.alloc(0)],
  };
  const { answer, url } = await start(t, (request, response) => {
    const [type, bytes] = kinds[request.url ?? ''] ?? [undefined, Buffer.alloc(0)];
    if (type) response.setHeader('content-type', type);
    response.setHeader('content-encoding', 'gzip');
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.end(gzipSync(bytes));
  });
  const read: Record<string, unknown> = {};
  for (const path of Object.keys(kinds)) {
    const { body, bodyFormat, headers } = await answer({ url: url + path });
    read[path] = [bodyFormat, body];
    assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
  }
  assert.deepEqual(read, {
    '/json': ['json', { a: 1 }],
    '/problem': ['json', [1]],
    '/broken': ['text', '{"a":'],
    '/latin': ['text', 'é'],
    '/odd': ['text', 'é'],
    '/xml': ['text', '<a/>'],
    '/bytes': ['base64', 'AP8='],
    '/untyped': ['base64', 'eA=='],
    '/empty': ['none', null],
  });
});

const statuses: Handler = ({ url }, response) => {
  response.statusCode = Number(url?.slice(1));
  response.setHeader('retry-after', '7');
  response.setHeader('content-type', 'application/json');
  response.end('{"why":"so"}');
};

test('a status that is a failure has a code, a retry class and what the target said', async (t) => {
  const { error, url } = await start(t, statuses);
  const of = async (status: number, method = 'GET') => {
    const { kind, code, retry } = await error({ url: `${url}/${status}`, method });
    return `${kind} ${code} ${retry}`;
  };
  const expected = {
    400: 'failed http_rejected permanent',
    404: 'failed http_rejected permanent',
    408: 'failed http_request_timeout timeout',
    429: 'failed http_rate_limited rate_limited',
    500: 'failed http_server_error transient',
    501: 'failed http_rejected permanent',
    503: 'failed http_unavailable unavailable',
    504: 'failed http_request_timeout timeout',
  };
  for (const [status, text] of Object.entries(expected)) assert.equal(await of(Number(status)), text);
  const { retryAfter, details } = await error({ url: `${url}/429` });
  assert.equal(retryAfter, 7000);
  const { status, body } = details as { status: number; body: unknown };
  assert.deepEqual([status, body], [429, { why: 'so' }]);
});

test('a POST the target may have acted on is not repeated; one it recognises, or did not take, is', async (t) => {
  const { error, url } = await start(t, statuses);
  const of = async (status: number, more = {}) =>
    (await error({ url: `${url}/${status}`, method: 'POST', ...more })).code;
  assert.equal(await of(500), 'http_uncertain');
  assert.equal(await of(504), 'http_uncertain');
  assert.equal(await of(503), 'http_unavailable');
  assert.equal(await of(429), 'http_rate_limited');
  assert.equal(await of(500, { idempotencyHeader: 'Idempotency-Key' }), 'http_server_error');
});

test('which statuses are failures can be said', async (t) => {
  const { answer, error, url } = await start(t, statuses);
  assert.equal((await answer({ url: `${url}/404`, failOn: [] })).status, 404);
  assert.equal((await answer({ url: `${url}/500`, failOn: ['4xx', '503'] })).status, 500);
  assert.equal((await error({ url: `${url}/202`, failOn: ['202'] })).code, 'http_rejected');
  assert.equal((await error({ url, failOn: ['6xx'] })).code, 'input_invalid');
});

test('credentials are sent, and appear in no output, error or log, not even when the target sends them back', async (t) => {
  const arrived: (string | undefined)[] = [];
  const { answer, error, lines } = await start(t, ({ headers, method }, response) => {
    arrived.push(headers.authorization, headers['x-key'] as string);
    response.statusCode = method === 'GET' ? 200 : 400;
    response.setHeader('x-echo', headers.authorization ?? '');
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(headers));
  });
  const basic = { auth: { username: 'ada', password: CANARY } };
  const bearer = { auth: { bearer: CANARY }, secretHeaders: { 'X-Key': `${CANARY}-2` } };
  const encoded = Buffer.from(`ada:${CANARY}`).toString('base64');
  const shown = JSON.stringify([
    await answer(basic),
    await answer(bearer),
    await error({ ...basic, method: 'POST' }),
    await error({ ...bearer, method: 'POST' }),
    lines,
  ]);
  assert.deepEqual(arrived.slice(0, 4), [`Basic ${encoded}`, undefined, `Bearer ${CANARY}`, `${CANARY}-2`]);
  assert.ok(!shown.includes(CANARY) && !shown.includes(encoded), shown);
});

test('the key of the call is sent where it is wanted', async (t) => {
  const { answer } = await start(t, mirror);
  const { body } = await answer({ method: 'POST', idempotencyHeader: 'Idempotency-Key' });
  assert.equal((body as { headers: Record<string, string> }).headers['idempotency-key'], 'key-1');
});

test('redirects are followed by the rules of the hub: not to what it refuses, and without the credentials', async (t) => {
  const other = await start(t, mirror);
  const { answer, error, url } = await start(t, (request, response) => {
    const to: Record<string, string> = { '/away': `${other.url}/there`, '/inside': 'http://10.1.2.3/' };
    response.writeHead(302, { location: to[request.url ?? ''] ?? '/' }).end();
  });
  const away = await answer({
    url: `${url}/away`,
    auth: { bearer: CANARY },
    secretHeaders: { 'X-Key': CANARY },
    headers: { 'X-Own': 'kept' },
  });
  const { headers } = away.body as { headers: Record<string, string> };
  assert.deepEqual([away.url, headers['x-own']], [`${other.url}/there`, 'kept']);
  assert.deepEqual([headers['authorization'], headers['x-key']], [undefined, undefined]);
  assert.equal((await error({ url: `${url}/inside` })).code, 'egress_refused');
  assert.equal((await error({ url: `${url}/loop` })).code, 'egress_too_many_redirects');
  const shown = await answer({ url: `${url}/away`, followRedirects: false });
  assert.deepEqual([shown.status, shown.headers['location']], [302, `${other.url}/there`]);
});

test('an answer that is too large is told from one that is lost', async (t) => {
  const { error, answer } = await start(t, (_, response) => void response.end('x'.repeat(2_000)));
  assert.equal(
    (await answer({ maxResponseBytes: 2_000 })).body,
    Buffer.from('x'.repeat(2_000)).toString('base64'),
  );
  for (const method of ['GET', 'POST']) {
    const { kind, code, retry } = await error({ method, maxResponseBytes: 1_999 });
    assert.deepEqual([kind, code, retry], ['failed', 'response_too_large', 'permanent']);
  }
});

test('a target that takes too long is a timeout, and after a POST nobody knows', async (t) => {
  const { error } = await start(t, () => undefined);
  const get = await error({ timeout: 50 });
  assert.deepEqual([get.kind, get.code, get.retry], ['failed', 'egress_timeout', 'timeout']);
  const post = await error({ method: 'POST', timeout: 50 });
  assert.deepEqual([post.kind, post.code], ['unknown', 'egress_timeout']);
});

test('an address the hub does not let through is refused, with the entry that would allow it', async (t) => {
  const { error, host } = await start(t, mirror, '');
  const { kind, code, retry, message } = await error();
  assert.deepEqual([kind, code, retry], ['failed', 'egress_refused', 'permanent']);
  assert.ok(message.includes(host), message);
  assert.equal((await error({ url: 'file:///etc/passwd' })).code, 'egress_bad_url');
});
