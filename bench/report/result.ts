import type { Circumstances } from '../measure/machine.ts';
import type { Figure } from '../measure/statistics.ts';
import type { PostgresFacts } from '../world.ts';

/** What a benchmark found out. */
export interface Findings {
  /** What was measured, in a line. */
  readonly title: string;
  readonly postgres?: PostgresFacts;
  /** The first unit is the one that is drawn. */
  readonly figures: readonly Figure[];
  /** What was held against one another, in numbers: `{ accepted: 9000, served: 18000 }`. */
  readonly checked: Readonly<Record<string, number>>;
  /** Everything that was not as promised; empty when it was. */
  readonly faults: readonly string[];
}

/** One line of `bench/results/<name>.jsonl`. */
export interface Result extends Findings, Circumstances {
  readonly name: string;
  /** ISO 8601. */
  readonly at: string;
  readonly command: string;
}
