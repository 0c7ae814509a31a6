import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type, type TSchema } from 'typebox';
import { RouteError } from './server.ts';
import { makeThing, startHttp, type TestRoute } from './testing.ts';

const open = { additionalProperties: false };

/** A route as plain JavaScript might write it. */
function wrong(changes: object): TestRoute {
  return { ...makeThing, path: '/wrong', ...changes };
}

const reply = (schema: unknown) => ({ replies: { 200: { description: 'The answer.', schema } } });
const body = (schema: TSchema) => ({ body: schema });

const CASES: readonly [string, TestRoute, RegExp][] = [
  ['no access', wrong({ access: undefined }), /declares no access/],
  ['empty access', wrong({ access: '' }), /declares no access/],
  ['unknown permission', wrong({ access: 'things:destroy' }), /"things:destroy" is not in the catalogue/],
  ['inherited permission', wrong({ access: 'constructor' }), /"constructor" is not in the catalogue/],
  ['public without a reason', wrong({ access: { public: ' ' } }), /open without a stated reason/],
  ['public with no text', wrong({ access: { public: true } }), /open without a stated reason/],
  [
    'loopback without a reason',
    wrong({ access: { permission: 'things:read', openToLoopback: '' } }),
    /open without/,
  ],
  ['no audit entry', wrong({ audit: undefined }), /declares no audit entry/],
  ['unknown audit entry', wrong({ audit: 'thing.break' }), /"thing.break" is not in the vocabulary/],
  ['no entry without a reason', wrong({ audit: { none: '' } }), /no audit entry without a stated reason/],
  ['no body', wrong({ body: undefined }), /declares no body/],
  ['body where none belongs', wrong({ method: 'GET' }), /a GET takes no body/],
  ['empty body schema', wrong(body(Type.Unknown())), /body: its schema is empty/],
  ['open body schema', wrong(body(Type.Object({ a: Type.String() }))), /does not say whether other fields/],
  [
    'open schema further in',
    wrong(body(Type.Object({ list: Type.Array(Type.Object({})) }, open))),
    /body\/properties\/list\/items: it does not say/,
  ],
  ['no replies', wrong({ replies: {} }), /declares no reply/],
  ['replies left out', wrong({ replies: undefined }), /declares no reply/],
  [
    'reply without schema',
    wrong({ replies: { 200: { description: 'The answer.' } } }),
    /reply 200 has no schema/,
  ],
  ['reply without description', wrong({ replies: { 200: { schema: Type.Null() } } }), /no description/],
  ['empty reply schema', wrong(reply({})), /reply 200: its schema is empty/],
  ['reply schema that only describes', wrong(reply({ description: 'Anything.' })), /its schema is empty/],
  ['open reply schema', wrong(reply(Type.Object({}))), /reply 200: it does not say/],
  ['anything within a reply', wrong(reply(Type.Object({ a: Type.Unknown() }, open))), /allows anything/],
  ['look-ahead', wrong(body(Type.Object({ a: Type.String({ pattern: '(?=a)b' }) }, open))), /\(\?=/],
  ['back-reference', wrong(body(Type.Object({ a: Type.String({ pattern: '(a)\\1' }) }, open))), /escape/],
  [
    'pattern in a reply',
    wrong(reply(Type.Object({ a: Type.String({ pattern: '(?<!a)b' }) }, open))),
    /\(\?</,
  ],
  ['unknown format', wrong(body(Type.Object({ a: Type.String({ format: 'colour' }) }, open))), /colour/],
  ['unknown keyword', wrong(body(Type.Object({ a: Type.String({ maxLenght: 1 }) }, open))), /maxLenght/],
  ['params that are not in the path', wrong({ params: Type.Object({ id: Type.String() }, open) }), /differ/],
  ['path that names more than the params', wrong({ path: '/wrong/:id' }), /differ/],
  ['same method and path', { ...makeThing }, /another route of this method and path/],
];

test('a route that lacks what it must declare is not served', async (t) => {
  for (const [what, route, fault] of CASES) {
    await t.test(what, async (inner) => {
      await assert.rejects(
        startHttp(inner, { routes: [makeThing, route] }),
        (error) => error instanceof RouteError && fault.test(error.message) && error.faults.length > 0,
      );
    });
  }
});

test('paths that differ in the names of their values only are one', async (t) => {
  const params = (name: string) => ({ params: Type.Object({ [name]: Type.String() }, open) });
  const routes = [wrong({ path: '/a/:x', ...params('x') }), wrong({ path: '/a/:y', ...params('y') })];
  await assert.rejects(startHttp(t, { routes }), /POST \/a\/:y: there is another route/);
});

test('no route takes the place of one every hub has', async (t) => {
  await assert.rejects(
    startHttp(t, { routes: [wrong({ method: 'GET', path: '/healthz', body: undefined })] }),
    /GET \/healthz: there is another route/,
  );
});

test('all faults of all routes are named at once', async (t) => {
  const routes = [wrong({ access: undefined, audit: undefined }), wrong({ path: '/other', replies: {} })];
  await assert.rejects(
    startHttp(t, { routes }),
    (error) => error instanceof RouteError && error.faults.length === 3,
  );
});

test('a described value of any kind is allowed within a reply', async (t) => {
  const schema = Type.Object({ a: Type.Unknown({ description: 'Whatever the action gave.' }) }, open);
  await startHttp(t, { routes: [wrong(reply(schema))] });
});
