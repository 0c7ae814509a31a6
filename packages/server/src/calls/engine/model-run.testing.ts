// For tests: many runs of the model against the engine, on one database.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { openTestDatabase } from '../../../test/support/database.ts';
import type { Database } from '../../platform/database/index.ts';
import { commands, finish, judgeAll, Model, World } from './engine-model.testing.ts';

/** Rejects with the seed and the commands of a run that broke a promise. Ends early after `within` milliseconds. */
export async function checkModel(
  t: TestContext,
  { numRuns, size, within }: { numRuns: number; size: fc.SizeForArbitrary; within: number },
): Promise<void> {
  const database = await openTestDatabase(t);
  const property = fc.asyncProperty(commands(size), (given) => runOnce(database, given));
  const seed = Number(process.env['LINKSPAN_MODEL_SEED'] ?? Date.now() % 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  const result = await fc.check(property, {
    numRuns,
    seed,
    interruptAfterTimeLimit: within,
    endOnFailure: true, // two nodes never meet twice in the same way, so that smaller cases prove little
  });
  t.diagnostic(`${result.numRuns} runs`);
  if (result.counterexample !== null)
    assert.fail(`${fc.defaultReportMessage(result)}\n${describeFault(result.errorInstance)}`);
  assert.ok(result.numRuns > 0);
}

function describeFault(fault: unknown): string {
  return fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
}

async function runOnce(database: Database, given: Iterable<fc.AsyncCommand<Model, World>>): Promise<void> {
  const endings: (() => unknown)[] = [];
  const end = async (): Promise<void> => {
    for (let next = endings.pop(); next; next = endings.pop()) await next();
  };
  try {
    const model = new Model();
    const world = await World.open({ after: (work) => void endings.push(work as () => unknown) }, database);
    await fc.asyncModelRun(() => ({ model, real: world }), given);
    await finish(model, world);
    await end(); // a late outcome is journalled after the call has ended
    await judgeAll(model, world);
  } finally {
    await end();
  }
}
