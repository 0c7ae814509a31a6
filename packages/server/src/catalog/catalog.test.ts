import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectors } from '@linkspan/connectors';
import { object, Type } from '@linkspan/sdk';
import { createLog } from '../platform/log.ts';
import { catalogErrors, createCatalog } from './index.ts';
import { connectorWith } from './testing.ts';

function logged() {
  const lines: string[] = [];
  return {
    log: createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } }),
    lines,
  };
}

test('the connectors of the hub are there, by id', () => {
  const catalog = createCatalog(connectors);
  const ids = catalog.actions.map(({ id }) => id);
  assert.deepEqual(ids, ids.toSorted());
  for (const id of ['example/echo', 'example/wait', 'http/request']) assert.equal(catalog.action(id).id, id);
  assert.throws(() => catalog.action('http/nothing'), { code: catalogErrors.action_not_found.kind.code });
  assert.throws(() => catalog.connector('nothing'), { code: catalogErrors.connector_not_found.kind.code });
  assert.equal(catalog.find('nothing'), undefined);
});

test('an action says of an input what is wrong, what is secret, what it reaches and whether it may be repeated', () => {
  const request = createCatalog(connectors).action('http/request');
  assert.deepEqual(
    request.check({ url: 1, extra: true }).map(({ path }) => path),
    ['/extra', '/url'],
  );
  assert.deepEqual(request.check({ url: 'https://h' }), []);
  assert.deepEqual(request.secretPaths, ['/secretHeaders', '/auth/password', '/auth/bearer']);
  assert.equal(request.target({ url: 'https://api.example.com:8443/x' }), 'api.example.com:8443');
  assert.equal(request.target({ url: 'nonsense' }), 'http');
  assert.equal(request.target(undefined), 'http');
  assert.deepEqual(
    [
      { url: 'u' },
      { method: 'PUT' },
      { method: 'POST' },
      { method: 'POST', idempotencyHeader: 'k' },
      undefined,
    ].map((input) => request.repeat(input)),
    ['idempotent', 'idempotent', 'never', 'keyed', 'never'],
  );
});

test('a broken connector of the hub stops the start, with every fault named', () => {
  const broken = connectorWith({ effect: 'none', output: Type.Object({}), errors: undefined });
  assert.throws(
    () => createCatalog([broken]),
    ({ message }: Error) =>
      ['test: do: effect:', 'test: do: output: is open', 'test: do: errors: is missing'].every((fault) =>
        message.includes(fault),
      ),
  );
  assert.throws(() => createCatalog([connectorWith({}), connectorWith({})]), /another connector of this id/);
});

test('a broken connector of others is named and left out; the sound ones work', () => {
  const { log, lines } = logged();
  const foreign = [
    undefined,
    null,
    7,
    'x',
    [],
    {},
    { id: 'Bad', actions: [null] },
    connectorWith({ id: '' }),
  ];
  const catalog = createCatalog(connectors, {
    connectors: [
      ...foreign.map((connector, at) => ({ from: `broken-${at}`, connector })),
      { from: 'taken', connector: { ...connectorWith({}), id: 'http' } },
      { from: 'sound', connector: connectorWith({}) },
      {
        from: 'nasty',
        connector: {
          get id() {
            throw new Error('no');
          },
        },
      },
    ],
    log,
  });
  assert.deepEqual(
    catalog.connectors.map(({ id }) => id),
    ['example', 'http', 'test'],
  );
  for (const from of [...foreign.keys()].map((at) => `broken-${at}`).concat('taken', 'nasty'))
    assert.ok(
      lines.some((line) => line.includes(`"path":"${from}"`)),
      from,
    );
  assert.ok(!lines.some((line) => line.includes('"path":"sound"')));
});

test('a pattern that needs more than linear time is refused', () => {
  const output = object({ text: Type.String({ pattern: '(a)\\1' }) });
  assert.throws(() => createCatalog([connectorWith({ output })]), /test: do: output:/);
});

test('what a target gives that is no name is not taken', () => {
  for (const target of [
    () => '',
    () => 5,
    () => {
      throw new Error('no');
    },
  ])
    assert.equal(
      createCatalog([connectorWith({ target })])
        .action('test/do')
        .target({}),
      'test',
    );
  const long = createCatalog([connectorWith({ target: () => 'x'.repeat(500) })]);
  assert.equal(long.action('test/do').target({}).length, 200);
});
