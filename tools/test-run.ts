import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { stripVTControlCharacters } from 'node:util';
import type { AllowedSkip } from './allowed-skips.ts';

/** Milliseconds: one test, one file. A file gets longer because its tests add up. */
const LIMITS = { normal: [60_000, 300_000], long: [1_200_000, 2_400_000] } as const;

export interface TestRun {
  /** Absolute paths of test files. */
  readonly files: readonly string[];
  readonly long: boolean;
  readonly root: string;
  readonly allowedSkips: readonly AllowedSkip[];
  readonly print: (text: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs test files, each in a process of its own, and prints what node's `spec` reporter says; its closing lines
 * (`ℹ tests 12`, …) come last.
 *
 * @returns the faults: failed tests, skips nobody allowed, a file without a test. Empty when all is well.
 */
export async function runTests(options: TestRun): Promise<string[]> {
  const [testLimit, fileLimit] = LIMITS[options.long ? 'long' : 'normal'];
  const faults = new Set<string>();
  const empty = new Set(options.files);
  const events = run({
    files: [...options.files],
    cwd: options.root,
    concurrency: Math.max(1, availableParallelism()),
    timeout: fileLimit,
    execArgv: [`--test-timeout=${testLimit}`],
    ...(options.signal ? { signal: options.signal } : {}),
  });
  events.on('test:fail', () => void faults.add('A test failed.'));
  for (const kind of ['test:pass', 'test:fail'] as const)
    events.on(kind, ({ name, skip, todo, details, ...at }) => {
      const file = at.entryFile ?? at.file; // what was asked for, also for a test that another file declares
      // A file without a test counts as a test of its own.
      if (file === undefined || details.type === 'suite' || resolve(options.root, name) === file) return;
      empty.delete(file);
      const where = relative(options.root, file);
      if (isSet(skip) && !isAllowed(options.allowedSkips, where, name))
        faults.add(`Skipped and not listed in tools/allowed-skips.ts: ${where}: ${name}`);
      if (isSet(todo)) faults.add(`Left to do: ${where}: ${name}`);
    });

  const closing: string[] = [];
  for await (const chunk of events.compose(spec)) {
    const text = String(chunk);
    if (isClosing(text)) closing.push(text);
    else options.print(text);
  }
  if (options.files.length === 0) faults.add('Not one test ran.');
  for (const file of empty) faults.add(`Not one test ran in ${relative(options.root, file)}`);
  options.print(`\n${[...faults, ''].join('\n')}${closing.join('')}`);
  return [...faults];
}

function isSet(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false;
}

function isAllowed(allowed: readonly AllowedSkip[], file: string, test: string): boolean {
  return allowed.some((skip) => skip.file === file && skip.test === test);
}

/** The last lines of the reporter, one or several in a chunk. */
function isClosing(text: string): boolean {
  const lines = stripVTControlCharacters(text).trim().split('\n');
  return lines.every((line) =>
    /^ℹ (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(line),
  );
}
