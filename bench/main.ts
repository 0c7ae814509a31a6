import { join } from 'node:path';
import { ROOT } from '../tools/root.ts';
import { b10 } from './benches/b10.ts';
import { b13 } from './benches/b13.ts';
import { b14 } from './benches/b14.ts';
import { b2, b4, b5 } from './benches/saturated.ts';
import { b7 } from './benches/b7.ts';
import { circumstances } from './measure/machine.ts';
import { parseOptions, USAGE, type Options } from './options.ts';
import { keep } from './report/keep.ts';
import type { Findings, Result } from './report/result.ts';
import { tableOf } from './report/table.ts';

/** `npm run bench -- <name> [option…]`. Ends with 1 when something was not as promised, with 2 when it was not run. */

interface Bench {
  readonly run: (options: Options) => Promise<Findings>;
  /** What is usual for it alone. */
  readonly defaults: Partial<Options>;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  b2: { run: b2, defaults: { connections: 250, outstanding: 1_000 } },
  b4: { run: b4, defaults: { seconds: 5, warm: 2 } },
  b5: { run: b5, defaults: {} },
  b7: { run: b7, defaults: {} },
  b10: { run: b10, defaults: { seconds: 60 } },
  b13: { run: b13, defaults: {} },
  b14: { run: b14, defaults: { repeat: 1 } },
};

const [name = '', ...args] = process.argv.slice(2);
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
if (!bench) stop(USAGE);

// A database that was started goes with this process; by `exit`, unlike by a signal, it is told.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const options = optionsOf(bench.defaults);
const findings = await bench.run(options);
const result: Result = {
  name,
  at: new Date().toISOString(),
  command: ['npm run bench --', name, ...args].join(' '),
  ...circumstances(ROOT),
  ...findings,
};
console.log(tableOf(result));
if (!options.dry) await keep(join(import.meta.dirname, 'results'), result);
process.exit(findings.faults.length > 0 ? 1 : 0);

function optionsOf(defaults: Partial<Options>): Options {
  try {
    return parseOptions(args, defaults);
  } catch (error) {
    return stop(`${(error as Error).message}\n\n${USAGE}`);
  }
}

function stop(why: string): never {
  console.error(why);
  process.exit(2);
}
