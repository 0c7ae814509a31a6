import type { Action, Effect, ErrorTable, Example, PolicyDefaults, Repeat } from '@linkspan/sdk';
import type { SchemaNode } from '@linkspan/sdk/hub';
import type { Fault } from '../platform/errors.ts';

/** An action as the hub knows it, whatever its origin. */
export interface CatalogAction {
  /** `connector/action` */
  readonly id: string;
  readonly connector: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  /** What it says of being done twice with this input; `never` where it cannot say. */
  repeat(input: unknown): Repeat;
  /** The same for every input, or `depends`. */
  readonly repeats: Repeat | 'depends';
  readonly policy: PolicyDefaults | undefined;
  /** JSON Schema with the markers of the SDK (`x-secret`, `x-file`, `x-options`). */
  readonly input: SchemaNode;
  readonly output: SchemaNode;
  readonly errors: ErrorTable;
  readonly examples: readonly Example[];
  /** Everything wrong with an input. */
  check(input: unknown): Fault[];
  checkOutput(output: unknown): Fault[];
  /** JSON pointers to what is secret in an input; `*` stands for every item or name. All below is secret too. */
  readonly secretPaths: readonly string[];
  /** What a call reaches: the unit of concurrency, breaker and fairness. At most 200 characters. */
  target(input: unknown): string;
  readonly origin: 'code';
  readonly definition: Action;
}

/** A connector as the hub knows it. */
export interface CatalogConnector {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly origin: 'code';
  readonly actions: readonly CatalogAction[];
}
