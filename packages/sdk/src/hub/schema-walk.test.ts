import assert from 'node:assert/strict';
import { test } from 'node:test';
import { file, object, record, secret, Type } from '../schema.ts';
import { secretPathsOf, textsAt, withoutMarkers } from './index.ts';

const schema = {
  ...object({
    plain: Type.String(),
    auth: Type.Optional(
      Type.Union([object({ user: Type.String(), password: secret() }), object({ bearer: secret() })]),
    ),
    headers: secret(record(Type.String())),
    list: Type.Array(object({ key: secret(Type.Number()) })),
    maps: record(object({ 'a/b~*': secret() })),
  }),
};

test('secrets are found in unions, lists, maps, and under names that look like paths', () => {
  assert.deepEqual(secretPathsOf(schema), [
    '/auth/password',
    '/auth/bearer',
    '/headers',
    '/list/*/key',
    '/maps/*/a~1b~0~2',
  ]);
});

test('a path leads to every text and number below it', () => {
  const value = {
    auth: { bearer: 'token' },
    headers: { a: '1', b: '2' },
    list: [{ key: 5 }, { key: 6 }],
    maps: { x: { 'a/b~*': 'deep', other: 'no' } },
  };
  assert.deepEqual(
    secretPathsOf(schema).map((path) => textsAt(value, path)),
    [[], ['token'], ['1', '2'], ['5', '6'], ['deep']],
  );
});

test('without markers a schema is plain JSON Schema; a field may be called like a marker', () => {
  const plain = withoutMarkers(object({ a: secret(), f: file(), 'x-file': Type.String() }));
  assert.doesNotMatch(JSON.stringify(plain), /"x-secret"|"x-file":true/);
  assert.deepEqual((plain['properties'] as object)['x-file' as never], { type: 'string' });
  assert.equal(
    (plain['properties'] as Record<string, { contentEncoding?: string }>)['f']?.contentEncoding,
    'base64',
  );
});
