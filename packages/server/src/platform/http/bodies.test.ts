import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, defineTestRoute, makeThing, startHttp } from './testing.ts';
import { raw } from './route.ts';
import type { Fault } from '../errors.ts';

const GOOD = '{"name":"a thing","count":1}';
const nested = (levels: number): string => `{"tags":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;

interface Bad {
  readonly what: string;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
  readonly status?: number;
  readonly code?: string;
  /** `path rule` of each fault, in order. */
  readonly faults?: readonly string[];
}

const BAD: readonly Bad[] = [
  { what: 'no body', faults: [' body'] },
  { what: 'empty body', body: '', headers: { 'content-length': '0' }, faults: [' body'] },
  { what: 'no JSON', body: 'name=a', faults: [' json'] },
  { what: 'cut short', body: '{"name":"a', faults: [' json'] },
  { what: 'two values', body: `${GOOD}${GOOD}`, faults: [' json'] },
  { what: 'comment', body: `/* */${GOOD}`, faults: [' json'] },
  { what: 'trailing comma', body: '{"name":"a","count":1,}', faults: [' json'] },
  { what: 'single quotes', body: "{'name':'a'}", faults: [' json'] },
  { what: 'NaN', body: '{"name":"a","count":NaN}', faults: [' json'] },
  { what: 'raw control character', body: '{"name":"a\u0001","count":1}', faults: [' json'] },
  {
    what: 'invalid UTF-8',
    body: Buffer.from('{"name":"\xff\xfe","count":1}', 'latin1'),
    faults: [' encoding'],
  },
  {
    what: 'overlong UTF-8',
    body: Buffer.from('{"name":"\xc0\xaf","count":1}', 'latin1'),
    faults: [' encoding'],
  },
  { what: 'UTF-16', body: Buffer.from(GOOD, 'utf16le'), faults: [' json'] },
  { what: 'byte order mark', body: `\ufeff${GOOD}`, faults: [' encoding'] },
  { what: 'top-level array', body: '[]', faults: [' type'] },
  { what: 'top-level null', body: 'null', faults: [' type'] },
  { what: 'top-level text', body: '"a: b"', faults: [' type'] },
  { what: 'too deep', body: nested(33), faults: [' depth'] },
  { what: 'far too deep', body: '['.repeat(500_000), faults: [' depth'] },
  {
    what: 'deep enough to be read',
    body: nested(32),
    faults: ['/name required', '/count required', '/tags/0 type'],
  },
  { what: 'duplicate name', body: '{"name":"a","count":1,"name":"b"}', faults: ['/name duplicateName'] },
  {
    what: 'duplicate by escape',
    body: '{"name":"a","count":1,"n\\u0061me":"b"}',
    faults: ['/name duplicateName'],
  },
  {
    what: 'duplicates further in, all of them',
    body: '{"name":"a","count":1,"count":2,"inner":{"flag":true,"flag":false}}',
    faults: ['/count duplicateName', '/inner/flag duplicateName'],
  },
  {
    what: '__proto__',
    body: '{"name":"a","count":1,"__proto__":{"x":1}}',
    faults: ['/__proto__ forbiddenName'],
  },
  {
    what: 'constructor',
    body: '{"name":"a","count":1,"constructor":{}}',
    faults: ['/constructor additionalProperties'],
  },
  { what: 'number as text', body: '{"name":"a","count":"1"}', faults: ['/count type'] },
  { what: 'text as number', body: '{"name":1,"count":1}', faults: ['/name type'] },
  { what: 'null instead of leaving out', body: '{"name":"a","count":1,"tags":null}', faults: ['/tags type'] },
  { what: 'one instead of a list', body: '{"name":"a","count":1,"tags":"x"}', faults: ['/tags type'] },
  { what: 'fraction', body: '{"name":"a","count":1.5}', faults: ['/count type'] },
  {
    what: 'unknown field',
    body: '{"name":"a","count":1,"extra":1}',
    faults: ['/extra additionalProperties'],
  },
  {
    what: 'name that needs escaping in a pointer',
    body: '{"name":"a","count":1,"a/b~c":1}',
    faults: ['/a~1b~0c additionalProperties'],
  },
  {
    what: 'everything wrong at once',
    body: '{"name":"UPPER","extra":1,"tags":["a",2,"b","c"],"inner":{"flag":"yes","more":0}}',
    faults: [
      '/count required',
      '/extra additionalProperties',
      '/inner/flag type',
      '/inner/more additionalProperties',
      '/name pattern',
      '/tags maxItems',
      '/tags/1 type',
    ],
  },
  {
    what: 'no media type',
    body: GOOD,
    headers: { 'content-type': '' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'text',
    body: GOOD,
    headers: { 'content-type': 'text/plain' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'form',
    body: 'name=a',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'JSON look-alike',
    body: GOOD,
    headers: { 'content-type': 'application/jsonx' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'two types',
    body: GOOD,
    headers: { 'content-type': 'text/plain, application/json' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'other charset',
    body: GOOD,
    headers: { 'content-type': 'application/json; charset=utf-16' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'compressed',
    body: GOOD,
    headers: { 'content-encoding': 'gzip' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'declared too large',
    body: `{"name":"${'a'.repeat(1_048_576)}"}`,
    status: 413,
    code: 'body_too_large',
  },
  {
    what: 'too large in pieces',
    body: 'a'.repeat(1_100_000),
    headers: { 'transfer-encoding': 'chunked' },
    status: 413,
    code: 'body_too_large',
  },
];

test('bad bodies are refused with their faults', async (t) => {
  const { port } = await startHttp(t);
  for (const { what, body, headers, status = 400, code = 'invalid_request', faults } of BAD) {
    await t.test(what, async () => {
      const sent = { ...headers };
      const answer = await ask(port, {
        method: 'POST',
        ...(body === undefined ? {} : { body }),
        headers: sent,
      });
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.json['code'], code);
      assert.equal(answer.headers['content-type'], 'application/problem+json');
      if (faults) {
        const found = (answer.json['faults'] as Fault[]).map(({ path, rule }) => `${path} ${rule}`);
        assert.deepEqual(found.toSorted(), faults.toSorted());
      }
    });
  }
});

test('good bodies arrive as they were sent', async (t) => {
  const { port } = await startHttp(t);
  for (const type of [
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
  ]) {
    const answer = await ask(port, { method: 'POST', body: GOOD, headers: { 'content-type': type } });
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(answer.json, JSON.parse(GOOD));
  }
});

test('a fault never repeats more than the beginning of what was sent', async (t) => {
  const { port } = await startHttp(t);
  const answer = await ask(port, { method: 'POST', body: `{"${'k'.repeat(100_000)}":1}` });
  assert.equal(answer.status, 400);
  assert.ok(answer.text.length < 2_000, `${answer.text.length} characters`);
});

test('at most a hundred faults are shown, and how many more there are', async (t) => {
  const { port } = await startHttp(t);
  const body = JSON.stringify(
    Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, 0])),
  );
  const faults = (await ask(port, { method: 'POST', body })).json['faults'] as Fault[];
  assert.equal(faults.length, 101);
  assert.match(faults[100]?.message ?? '', /^202 more/);
});

test('a route may take larger or smaller bodies than others', async (t) => {
  const small = { ...makeThing, path: '/small', bodyLimit: 100 };
  const { port } = await startHttp(t, { routes: [makeThing, small] });
  const body = `{"name":"a","count":1${' '.repeat(100)}}`;
  assert.equal((await ask(port, { method: 'POST', body })).status, 201);
  const answer = await ask(port, { method: 'POST', path: '/small', body });
  assert.equal(answer.status, 413);
  assert.match(String(answer.json['detail']), /100 bytes/);
});

test('a route that takes none refuses a body', async (t) => {
  const read = defineTestRoute({
    method: 'DELETE',
    path: '/thing',
    summary: 'x',
    access: 'things:write',
    audit: { none: 'for this test' },
    replies: { 204: { description: 'Gone by now.', empty: true } },
    handle: () => ({ status: 204 }),
  });
  const { port } = await startHttp(t, { routes: [read] });
  assert.equal((await ask(port, { method: 'DELETE', path: '/thing' })).status, 204);
  const answer = await ask(port, { method: 'DELETE', path: '/thing', body: '{}' });
  assert.equal(answer.status, 400);
});

test('raw bodies arrive byte for byte, of any type, up to their limit', async (t) => {
  const echo = defineTestRoute({
    method: 'POST',
    path: '/raw',
    summary: 'x',
    access: { public: 'for this test' },
    audit: { none: 'for this test' },
    body: raw({ limit: 1_000 }),
    replies: { 200: { description: 'The bytes.', media: 'application/octet-stream' } },
    handle: ({ body }) => ({ status: 200, body: Buffer.from(body.toString('hex')) }),
  });
  const { port } = await startHttp(t, { routes: [echo] });
  const send = (body: Buffer, type: string) =>
    ask(port, { method: 'POST', path: '/raw', token: null, body, headers: { 'content-type': type } });
  const bytes = Buffer.from([0xef, 0xbb, 0xbf, 0, 0xff, 0x0d, 0x0a]);
  for (const type of ['application/octet-stream', 'text/plain', 'application/json', 'x-strange/type+thing'])
    assert.equal((await send(bytes, type)).text, bytes.toString('hex'));
  assert.equal((await send(Buffer.alloc(1_001), 'text/plain')).status, 413);
});
