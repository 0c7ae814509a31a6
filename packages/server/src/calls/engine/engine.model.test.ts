import { test } from 'node:test';
import { checkModel } from './model-run.testing.ts';

test('in any order of what can happen, what was accepted ends exactly once', async (t) => {
  await checkModel(t, { numRuns: 60, size: 'medium', within: 45_000 });
});
