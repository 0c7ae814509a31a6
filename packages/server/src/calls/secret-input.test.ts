import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { memorySealer } from '../../test/support/sealer.ts';
import type { OwnedCall } from './engine/call.ts';
import type { Attempt, Executor } from './engine/index.ts';
import { openingSecrets, sealSecrets } from './secret-input.ts';

const sealer = memorySealer();
const PATHS = ['/auth/token', '/headers/*', '/list/*/key', '/a~1b'];

function callOf(): { tenant: string; id: string } {
  return { tenant: randomUUID(), id: randomUUID() };
}

/** What an executor is given of a stored input. */
async function seenBy(call: { tenant: string; id: string }, stored: { input: unknown; sealed?: string }) {
  const seen: unknown[] = [];
  const executor: Executor = {
    about: () => undefined,
    async execute(attempt) {
      seen.push(JSON.parse(attempt.call.input));
      return { kind: 'succeeded', output: 'null' };
    },
  };
  const { sealed } = stored;
  const owned = {
    ...call,
    input: JSON.stringify(stored.input),
    details: sealed === undefined ? {} : { sealed },
  };
  await openingSecrets(executor, sealer).execute({ call: owned as unknown as OwnedCall } as Attempt);
  return seen[0];
}

test('secrets are taken out wherever a path leads, and come back for the attempt', async () => {
  const call = callOf();
  const input = {
    auth: { token: 'secret-1', user: 'u' },
    headers: { 'x-key': 'secret-2', 'x/~*': 'secret-3' },
    list: [{ key: 'secret-4' }, { other: 1 }, { key: { deep: 'secret-5' } }],
    'a/b': 'secret-6',
  };
  const before = JSON.stringify(input);
  const stored = await sealSecrets(sealer, call, input, PATHS);
  assert.doesNotMatch(JSON.stringify(stored), /secret-/);
  assert.equal(JSON.stringify(input), before);
  assert.deepEqual(await seenBy(call, stored), input);
});

test('an input without secrets is stored as it is', async () => {
  const input = { auth: { user: 'u', token: null }, headers: {} };
  const stored = await sealSecrets(sealer, callOf(), input, PATHS);
  assert.equal(stored.input, input);
  assert.equal(stored.sealed, undefined);
});

test('an input that is secret as a whole leaves nothing behind', async () => {
  const call = callOf();
  const stored = await sealSecrets(sealer, call, { any: 'secret-7' }, ['']);
  assert.equal(stored.input, null);
  assert.deepEqual(await seenBy(call, stored), { any: 'secret-7' });
});

test('what is sealed for one call opens for no other', async () => {
  const call = callOf();
  const stored = await sealSecrets(sealer, call, { auth: { token: 'secret-8' } }, PATHS);
  const broken = { code: 'seal_broken' };
  await assert.rejects(seenBy({ ...call, id: randomUUID() }, stored), broken);
  await assert.rejects(seenBy({ ...callOf(), id: call.id }, stored));
});

test('any input comes back as it was', async () => {
  const names = fc.constantFrom('auth', 'token', 'headers', 'list', 'key', 'a/b', '~', '*');
  const inputs = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.integer(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(names, tie('value'), { maxKeys: 4 }),
    ),
  })).value;
  await fc.assert(
    fc.asyncProperty(inputs, async (input) => {
      const call = callOf();
      assert.deepEqual(
        await seenBy(call, await sealSecrets(sealer, call, input, PATHS)),
        JSON.parse(JSON.stringify(input)),
      );
    }),
    { numRuns: 200 },
  );
});
