import { test } from 'node:test';
import { checkModel } from './model-run.testing.ts';

test('in very many orders of what can happen, what was accepted ends exactly once', async (t) => {
  await checkModel(t, { numRuns: 400, size: 'max', within: 20 * 60_000 });
});
