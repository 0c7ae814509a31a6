/** A test that may be skipped, and why that is no loss. */
export interface AllowedSkip {
  /** Path of the test file from the root. */
  readonly file: string;
  /** Name of the test. */
  readonly test: string;
  /** What the machine lacks, and where the test does run. */
  readonly reason: string;
}

/** Every test that may be skipped. A skipped test that is not here fails the run. */
export const allowedSkips: readonly AllowedSkip[] = [
  {
    file: 'tools/fresh-clone.long.test.ts',
    test: 'a fresh clone of an ordinary user starts with one command, and again',
    reason: 'Only root can become another user. An ordinary user runs the same as the test before it.',
  },
];
