import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { compileCheck } from './check.ts';

test('a pattern that stalls the runtime’s own engine is checked in linear time', () => {
  const check = compileCheck(Type.String({ pattern: '^(a+)+$' }));
  const began = performance.now();
  // Thirty characters: enough to show it, and few enough that a broken hub still comes to an end.
  assert.equal(check(`${'a'.repeat(30)}!`).length, 1);
  assert.ok(performance.now() - began < 1_000);
  assert.equal(check('a'.repeat(5_000)).length, 0);
});

test('patterns are kept apart, in one schema and across schemas', () => {
  const both = compileCheck(
    Type.Object(
      { a: Type.String({ pattern: '^a$' }), b: Type.String({ pattern: '^b$' }) },
      { additionalProperties: false },
    ),
  );
  assert.deepEqual(both({ a: 'a', b: 'b' }), []);
  assert.deepEqual(
    both({ a: 'b', b: 'a' }).map(({ path }) => path),
    ['/a', '/b'],
  );
  assert.equal(compileCheck(Type.String({ pattern: '^c$' }))('a').length, 1);
});

test('a value is never changed', () => {
  const schema = Type.Object(
    { n: Type.Integer({ default: 7 }), more: Type.Optional(Type.Integer()) },
    { additionalProperties: false },
  );
  const value = Object.freeze({ n: '1', extra: true });
  assert.deepEqual(
    compileCheck(schema)(value)
      .map(({ rule }) => rule)
      .toSorted(),
    ['additionalProperties', 'type'],
  );
  assert.deepEqual(
    compileCheck(schema)({}).map(({ rule }) => rule),
    ['required'],
  );
});

test('a fault names its place, its rule, and what would be right', () => {
  const schema = Type.Object({ 'a/b': Type.Array(Type.Enum(['x', 'y'])) }, { additionalProperties: false });
  assert.deepEqual(compileCheck(schema)({ 'a/b': ['x', 'z'] }), [
    { path: '/a~1b/1', rule: 'enum', message: 'must be one of x, y' },
  ]);
});

test('formats are checked', () => {
  for (const [format, good, bad] of [
    ['uuid', '00000000-0000-7000-8000-000000000001', '0000'],
    ['date-time', '2026-01-02T03:04:05Z', '2026-01-02'],
    ['date', '2026-02-28', '2026-02-30'],
    ['uri', 'https://a.example/b', 'not an address'],
    ['email', 'a@b.example', 'a@'],
    ['hostname', 'a.example', '-a'],
    ['ipv4', '10.0.0.1', '10.0.0.256'],
    ['ipv6', '::1', ':1:'],
  ] as const) {
    const check = compileCheck(Type.String({ format }));
    assert.deepEqual(check(good), [], format);
    assert.equal(check(bad).length, 1, format);
  }
});
