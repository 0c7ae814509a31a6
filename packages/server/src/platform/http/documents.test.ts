import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Type } from 'typebox';
import { defineErrors } from '../errors.ts';
import { httpErrors } from './errors.ts';
import { raw } from './route.ts';
import { ask, defineTestRoute, makeThing, startHttp } from './testing.ts';

const errors = defineErrors({
  thing_gone: {
    status: 410,
    title: 'The <b>thing</b> is gone',
    retryable: false,
    help: 'Make "another" & go on.',
  },
});

const routes = [
  makeThing,
  defineTestRoute({
    method: 'GET',
    path: '/things/:id',
    summary: 'Read <script>alert(1)</script>',
    description: 'With `code` & <i>more</i>.',
    tags: ['Things'],
    access: 'things:read',
    audit: { none: 'Reading changes nothing.' },
    params: Type.Object({ id: Type.Integer() }, { additionalProperties: false }),
    query: Type.Object({ full: Type.Optional(Type.Boolean()) }, { additionalProperties: false }),
    replies: { 204: { description: 'Nothing.', empty: true } },
    errors: [errors.thing_gone],
    handle: () => ({ status: 204 }),
  }),
  defineTestRoute({
    method: 'PUT',
    path: '/things/:id/file',
    summary: 'Store a file',
    access: { public: 'for this test' },
    audit: { none: 'for this test' },
    params: Type.Object({ id: Type.Integer() }, { additionalProperties: false }),
    body: raw({ limit: 10, types: ['text/plain'] }),
    replies: { 200: { description: 'The file.', media: 'text/plain' } },
    handle: () => ({ status: 200, body: '' }),
  }),
];

interface Document {
  readonly paths: Record<string, Record<string, Record<string, unknown>>>;
}

test('the OpenAPI document is valid', async (t) => {
  const { port } = await startHttp(t, { routes });
  const answer = await ask(port, { path: '/openapi.json', token: null });
  assert.equal(answer.status, 200);
  const result = await new Validator().validate(answer.json);
  assert.ok(result.valid, JSON.stringify(result.errors));
});

test('the OpenAPI document tells of every route what it takes, gives and leaves', async (t) => {
  const { http } = await startHttp(t, { routes });
  const { paths } = http.openApi as unknown as Document;
  assert.deepEqual(Object.keys(paths).toSorted(), [
    '/docs',
    '/docs/errors',
    '/healthz',
    '/metrics',
    '/openapi.json',
    '/readyz',
    '/things',
    '/things/{id}',
    '/things/{id}/file',
  ]);
  const make = paths['/things']?.['post'] ?? {};
  assert.equal(make['x-permission'], 'things:write');
  assert.equal(make['x-audit'], 'thing.make');
  assert.deepEqual(make['security'], [{ token: [] }]);
  const responses = Object.keys(make['responses'] as object);
  assert.deepEqual(responses, ['201', '400', '401', '403', '408', '413', '415', '500', '503']);

  const read = paths['/things/{id}']?.['get'] ?? {};
  assert.equal(read['x-no-audit-because'], 'Reading changes nothing.');
  assert.deepEqual(read['parameters'], [
    { name: 'id', in: 'path', required: true, schema: { type: 'integer' } },
    { name: 'full', in: 'query', required: false, schema: { type: 'boolean' } },
  ]);
  assert.match(JSON.stringify((read['responses'] as Record<string, unknown>)['410']), /thing_gone/);

  assert.deepEqual(paths['/things/{id}/file']?.['put']?.['security'], [{}]);
  assert.deepEqual(paths['/metrics']?.['get']?.['security'], [{ token: [] }, {}]);
  const ids = Object.values(paths).flatMap((path) =>
    Object.values(path).map((operation) => operation['operationId']),
  );
  assert.equal(new Set(ids).size, ids.length);
});

/** Whatever makes a browser fetch or run something. */
const LOADS =
  /<(?:script|img|iframe|object|embed|base|form|video|audio|source|meta http-equiv)|@import|url\(|\son\w+=|\ssrc=|javascript:/i;

for (const path of ['/docs', '/docs/errors']) {
  test(`${path} loads nothing from outside and runs nothing`, async (t) => {
    const { port } = await startHttp(t, { routes });
    const answer = await ask(port, { path, token: null });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
    assert.doesNotMatch(answer.text, LOADS);
    const addresses = [...answer.text.matchAll(/href="([^"]*)"/g)].map((match) => match[1] ?? '');
    assert.ok(addresses.length > 5);
    for (const address of addresses) assert.match(address, /^(?:#|\/docs|\/openapi\.json$|data:,$)/);
    const links = answer.text.match(/<link [^>]*>/g);
    assert.deepEqual(links, ['<link rel="icon" href="data:,">']);

    const style = /<style>([\s\S]*?)<\/style>/.exec(answer.text)?.[1] ?? '';
    const digest = createHash('sha256').update(style).digest('base64');
    const policy = String(answer.headers['content-security-policy']);
    assert.ok(policy.startsWith(`default-src 'none'; style-src 'sha256-${digest}';`), policy);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.doesNotMatch(answer.text, /\sstyle=/);
  });
}

test('the page names every route, with text as text', async (t) => {
  const { port } = await startHttp(t, { routes });
  const { text } = await ask(port, { path: '/docs', token: null });
  for (const route of routes) assert.ok(text.includes(route.path), route.path);
  assert.ok(text.includes('Read &lt;script&gt;alert(1)&lt;/script&gt;'));
  assert.ok(text.includes('With <code>code</code> &amp; &lt;i&gt;more&lt;/i&gt;.'));
  const anchors = new Set([...text.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]));
  for (const [, target = ''] of text.matchAll(/href="#([^"]+)"/g)) assert.ok(anchors.has(target), target);
});

test('the address in a problem leads to the code’s own place', async (t) => {
  const { port } = await startHttp(t, { routes, errors: [errors.thing_gone] });
  const { text } = await ask(port, { path: '/docs/errors', token: null });
  for (const { kind } of [...Object.values(httpErrors), errors.thing_gone])
    assert.ok(text.includes(`<article id="${kind.code}">`), kind.code);
  assert.ok(text.includes('The &lt;b&gt;thing&lt;/b&gt; is gone'));
  const problem = (await ask(port, { path: '/nothing' })).json;
  const [path, code] = String(problem['type']).split('#');
  assert.equal(path, '/docs/errors');
  assert.ok(text.includes(`id="${code}"`));
});
