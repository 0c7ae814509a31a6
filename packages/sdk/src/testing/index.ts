import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Connector } from '../connector.ts';
import { CHECKS, DEFINITION, type ConformanceOptions } from './checks.ts';

/**
 * The conformance suite: registers one test for each promise every connector makes. Call it at the top of a test file.
 *
 *     testConnector(connector, { world: ({ url }) => (url.endsWith('/ping') ? { json: { pong: true } } : undefined) });
 */
export function testConnector(connector: Connector, options: ConformanceOptions = {}): void {
  describe(`connector ${connector.id}`, () => {
    for (const [name, check] of Object.entries(CHECKS))
      test(name, async () => assert.deepEqual(await check(connector, options), []));
  });
}

/** The same without a test runner: everything that is wrong, by the name of the check. */
export async function checkConnector(
  connector: Connector,
  options: ConformanceOptions = {},
): Promise<Partial<Record<keyof typeof CHECKS, string[]>>> {
  const found: Partial<Record<keyof typeof CHECKS, string[]>> = {};
  // The first check is of the definition; without a sound one there is nothing to run.
  for (const [name, check] of Object.entries(CHECKS)) {
    const faults = await check(connector, options);
    if (faults.length > 0) found[name as keyof typeof CHECKS] = faults;
    if (name === DEFINITION && faults.length > 0) break;
  }
  return found;
}

export type { ConformanceOptions } from './checks.ts';
export { breakingOff, unreachable, type World, type WorldAnswer } from './world.ts';
