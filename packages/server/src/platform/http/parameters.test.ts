import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import type { Fault } from '../errors.ts';
import { ask, defineTestRoute, startHttp } from './testing.ts';

let seen: unknown;

const route = defineTestRoute({
  method: 'GET',
  path: '/list/:page',
  summary: 'x',
  access: { public: 'for this test' },
  audit: { none: 'for this test' },
  params: Type.Object({ page: Type.Integer({ minimum: 1 }) }, { additionalProperties: false }),
  query: Type.Object(
    {
      text: Type.Optional(Type.String({ maxLength: 10 })),
      limit: Type.Optional(Type.Integer({ maximum: 100 })),
      ratio: Type.Optional(Type.Number()),
      all: Type.Optional(Type.Boolean()),
      ids: Type.Optional(Type.Array(Type.Integer())),
    },
    { additionalProperties: false },
  ),
  replies: { 204: { description: 'Nothing.', empty: true } },
  handle({ params, query }) {
    seen = { ...params, ...query };
    return { status: 204 };
  },
});

test('texts become what their schema declares, and only that', async (t) => {
  const { port } = await startHttp(t, { routes: [route] });
  for (const [target, expected] of [
    ['1', { page: 1 }],
    ['1?', { page: 1 }],
    ['1?text=7', { page: 1, text: '7' }],
    ['1?text=', { page: 1, text: '' }],
    ['1?text=a+b%20%C3%BC%26', { page: 1, text: 'a b ü&' }],
    ['1?limit=-7', { page: 1, limit: -7 }],
    ['1?ratio=0.5', { page: 1, ratio: 0.5 }],
    ['1?all=true', { page: 1, all: true }],
    ['1?all=false&limit=0', { page: 1, all: false, limit: 0 }],
    ['1?ids=1', { page: 1, ids: [1] }],
    ['1?ids=1&ids=2', { page: 1, ids: [1, 2] }],
  ] as const) {
    const answer = await ask(port, { path: `/list/${target}` });
    assert.equal(answer.status, 204, `${target} ${answer.text}`);
    assert.deepEqual(seen, expected, target);
  }
});

test('what does not fit is named, all of it at once', async (t) => {
  const { port } = await startHttp(t, { routes: [route] });
  for (const [target, ...faults] of [
    ['0', 'path/page minimum'],
    ['one', 'path/page type'],
    ['1?limit=1e1', 'query/limit type'],
    ['1?limit=01', 'query/limit type'],
    ['1?limit=', 'query/limit type'],
    ['1?limit=0x10', 'query/limit type'],
    ['1?limit=1.5', 'query/limit type'],
    ['1?all=1', 'query/all type'],
    ['1?all', 'query/all type'],
    ['1?ids=1&ids=x', 'query/ids/1 type'],
    ['1?ids[]=1', 'query/ids[] additionalProperties'],
    ['1?limit=1&limit=2', 'query/limit repeated'],
    ['1?Limit=1', 'query/Limit additionalProperties'],
    ['1?__proto__=1', 'query/__proto__ additionalProperties'],
    ['1?constructor=1', 'query/constructor additionalProperties'],
    ['1?text=%ff', 'query/text encoding'],
    ['1?text=%zz', 'query/text encoding'],
    [
      'x?more=1&limit=200&text=aaaaaaaaaaaa',
      'path/page type',
      'query/limit maximum',
      'query/more additionalProperties',
      'query/text maxLength',
    ],
  ] as const) {
    const answer = await ask(port, { path: `/list/${target}` });
    assert.equal(answer.status, 400, target);
    const found = (answer.json['faults'] as Fault[]).map(({ path, rule }) => `${path} ${rule}`);
    assert.deepEqual(found.toSorted(), faults, target);
  }
});

test('a route without a query takes no parameter', async (t) => {
  const { port } = await startHttp(t);
  assert.equal((await ask(port, { path: '/healthz?' })).status, 200);
  assert.equal((await ask(port, { path: '/healthz?a=1' })).status, 400);
});

test('an open query reaches the handler as it came, whatever it is', async (t) => {
  let raw: string | undefined;
  const open = defineTestRoute({
    method: 'GET',
    path: '/open',
    summary: 'x',
    access: { public: 'for this test' },
    audit: { none: 'for this test' },
    openQuery: true,
    replies: { 204: { description: 'Nothing.', empty: true } },
    handle({ rawQuery, method }) {
      raw = `${method} ${rawQuery}`;
      return { status: 204 };
    },
  });
  const { port } = await startHttp(t, { routes: [open] });
  for (const target of ['', '?', '?a=1&a=2', '?%zz=%', '?a?b']) {
    assert.equal((await ask(port, { path: `/open${target}` })).status, 204);
    assert.equal(raw, `GET ${target.slice(1)}`);
  }
});
