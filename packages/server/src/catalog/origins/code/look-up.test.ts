import assert from 'node:assert/strict';
import { test } from 'node:test';
import { object, options, secret, Type, type OptionsContext } from '@linkspan/sdk';
import { lookUp } from '../../index.ts';
import { CANARY, connectorWith, executorFor } from '../../testing.ts';

test('values are looked up by prefix, cursor and the other fields; a failure shows no secret', async (t) => {
  const connector = connectorWith({
    input: object({ city: options(Type.String(), 'cities'), key: secret() }),
    examples: [{ title: 'x', input: { city: 'a', key: 'b' } }],
    options: {
      async cities({ prefix, cursor, input }: OptionsContext<{ key: string }>) {
        if (prefix === 'fail') throw new Error(`with ${input.key}`);
        const label = `${prefix} ${cursor} ${Object.keys(input).join()}`;
        return { items: [{ value: 1, label, more: 'x' }], next: '2' };
      },
    },
  });
  const { catalog, parts } = executorFor(t, [connector]);
  const request = {
    action: catalog.action('test/do'),
    source: 'cities',
    prefix: 'Be',
    cursor: '1',
    input: { key: CANARY },
    by: { tenant: 't', principal: 'p' },
    signal: new AbortController().signal,
  };
  assert.deepEqual(await lookUp(parts, request), { items: [{ value: 1, label: 'Be 1 key' }], next: '2' });
  await assert.rejects(lookUp(parts, { ...request, source: 'toString' }), { code: 'options_not_found' });
  await assert.rejects(lookUp(parts, { ...request, prefix: 'fail' }), (error: Error & { code: string }) => {
    assert.equal(error.code, 'options_failed');
    return !error.message.includes(CANARY);
  });
});
