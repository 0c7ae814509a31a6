import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Type, type TSchema } from 'typebox';
import { createLog } from '../log.ts';
import { defineErrors } from '../errors.ts';
import { ask, defineTestRoute, makeThing, startHttp, type TestRoute } from './testing.ts';

const errors = defineErrors({
  thing_gone: { status: 410, title: 'The thing is gone', retryable: false, help: 'Make another.' },
});

const closed = (properties: Record<string, TSchema>) =>
  Type.Object(properties, { additionalProperties: false });

/** A route that answers with anything at all, as one written past the types would. */
function answering(answer: () => unknown, schema: TSchema = closed({ name: Type.String() })): TestRoute {
  return {
    ...defineTestRoute({
      method: 'GET',
      path: '/answer',
      summary: 'x',
      access: { public: 'for this test' },
      audit: { none: 'for this test' },
      replies: { 200: { description: 'The answer.', schema } },
      handle: () => ({ status: 200, body: {} }),
    }),
    handle: answer as TestRoute['handle'],
  };
}

const lines: string[] = [];
const log = createLog({ level: 'trace', destination: { write: (line) => void lines.push(line) } });

test('a field the schema does not name never leaves', async (t) => {
  const route = answering(
    () => ({
      status: 200,
      body: { name: 'a', secret: 'canary', inner: [{ id: 1, secret: 'canary' }] },
    }),
    closed({ name: Type.String(), inner: Type.Array(closed({ id: Type.Integer() })) }),
  );
  const { port } = await startHttp(t, { routes: [route], checked: false });
  const answer = await ask(port, { path: '/answer' });
  assert.deepEqual(answer.json, { name: 'a', inner: [{ id: 1 }] });
});

test('while testing, a reply that differs from its schema is an error', async (t) => {
  for (const body of [{ name: 'a', secret: 'canary' }, { name: 1 }, {}, null, 'text', undefined]) {
    const { port } = await startHttp(t, { routes: [answering(() => ({ status: 200, body }))] });
    const answer = await ask(port, { path: '/answer' });
    assert.equal(answer.status, 500, JSON.stringify(body));
    assert.doesNotMatch(answer.text, /canary/);
  }
});

test('a status the route does not declare is an error, never an unchecked body', async (t) => {
  const route = answering(() => ({ status: 202, body: { secret: 'canary' } }));
  const { port } = await startHttp(t, { routes: [route], checked: false });
  const answer = await ask(port, { path: '/answer' });
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.text, /canary/);
});

test('errors with a code are answered as problems, with the fields they carry', async (t) => {
  const route = answering(() => {
    throw errors.thing_gone({ detail: 'Gone since noon.', retryAfter: 1.2, headers: { 'x-more': 'yes' } });
  });
  for (const [publicUrl, base] of [
    [undefined, ''],
    [new URL('https://hub.example.com'), 'https://hub.example.com'],
  ] as const) {
    const { port } = await startHttp(t, { routes: [route], publicUrl });
    const answer = await ask(port, { path: '/answer' });
    assert.equal(answer.status, 410);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal(answer.headers['retry-after'], '2');
    assert.equal(answer.headers['x-more'], 'yes');
    assert.deepEqual(answer.json, {
      type: `${base}/docs/errors#thing_gone`,
      title: 'The thing is gone',
      status: 410,
      code: 'thing_gone',
      detail: 'Gone since noon.',
      help: 'Make another.',
      retryable: false,
      requestId: answer.headers['x-request-id'],
    });
  }
});

test('whatever else is thrown is internal, and nothing of it is told', async (t) => {
  lines.length = 0;
  for (const thrown of [
    new Error('canary'),
    new TypeError('canary'),
    'canary',
    { statusCode: 418, message: 'canary' },
    null,
    undefined,
  ]) {
    const route = answering(() => {
      throw thrown;
    });
    const { port } = await startHttp(t, { routes: [route], log });
    const answer = await ask(port, { path: '/answer' });
    assert.equal(answer.status, 500);
    assert.equal(answer.json['code'], 'internal');
    assert.doesNotMatch(answer.text, /canary/);
  }
  assert.equal(lines.length, 6);
  assert.doesNotMatch(lines.join(''), /canary/);
  assert.match(lines[0] ?? '', /"route":"\/answer"/);
});

test('a promised audit entry that was not written is noticed', async (t) => {
  lines.length = 0;
  const forgetful: TestRoute = {
    ...makeThing,
    handle: () => ({ status: 201, body: { name: 'a', count: 1 } }),
  };
  const body = '{"name":"a","count":1}';
  const checked = await startHttp(t, { routes: [forgetful] });
  assert.equal((await ask(checked.port, { method: 'POST', body })).status, 500);
  const served = await startHttp(t, { routes: [forgetful], checked: false, log });
  assert.equal((await ask(served.port, { method: 'POST', body })).status, 201);
  assert.match(lines.join(''), /wrote no audit entry/);
});

test('texts, bytes and streams are sent as their media type says', async (t) => {
  for (const body of ['plain <b>', Buffer.from('plain <b>'), Readable.from(['plain ', '<b>'])]) {
    const route = defineTestRoute({
      method: 'GET',
      path: '/media',
      summary: 'x',
      access: { public: 'for this test' },
      audit: { none: 'for this test' },
      replies: { 200: { description: 'A text.', media: 'text/plain; charset=utf-8' } },
      handle: () => ({ status: 200, body, headers: { 'cache-control': 'max-age=60' } }),
    });
    const { port } = await startHttp(t, { routes: [route] });
    const answer = await ask(port, { path: '/media' });
    assert.equal(answer.text, 'plain <b>');
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(answer.headers['cache-control'], 'max-age=60');
  }
});

test('requests are measured by pattern, and addresses nobody knows are one', async (t) => {
  const one = defineTestRoute({
    method: 'GET',
    path: '/things/:id',
    summary: 'x',
    access: 'things:read',
    audit: { none: 'for this test' },
    params: Type.Object({ id: Type.String() }, { additionalProperties: false }),
    replies: { 204: { description: 'Nothing.', empty: true } },
    handle: () => ({ status: 204 }),
  });
  const { port } = await startHttp(t, { routes: [one] });
  for (const path of ['/things/a', '/things/b', '/c', '/d/e', '/%zz']) await ask(port, { path });
  await ask(port, { method: 'PROPFIND', path: '/c' });
  const { text } = await ask(port, { path: '/metrics' });
  const counts = text
    .split('\n')
    .filter((line) => line.startsWith('linkspan_http_request_duration_seconds_count'));
  assert.deepEqual(counts.toSorted(), [
    'linkspan_http_request_duration_seconds_count{method="GET",route="/things/:id",status="204"} 2',
    'linkspan_http_request_duration_seconds_count{method="GET",route="unknown",status="404"} 2',
    'linkspan_http_request_duration_seconds_count{method="unknown",route="unknown",status="404"} 1',
  ]);
});
