import { parseArgs } from 'node:util';

/** How much of everything; what is left out is up to the benchmark. */
export interface Options {
  /** Measured time of one round. */
  readonly seconds: number;
  readonly warm: number;
  readonly repeat: number;
  readonly connections: number;
  readonly outstanding: number;
  /** B7: calls a second. */
  readonly rate: number;
  /** B13: ended calls in the database, in millions, one phase each. */
  readonly millions: readonly number[];
  /** B13: calls that wait. */
  readonly waiting: number;
  /** Where the database lives; a directory on a real disk. */
  readonly dataDir: string | undefined;
  /** Write CPU profiles of the hub there. */
  readonly profile: string | undefined;
  /** Neither appends the result nor draws it. */
  readonly dry: boolean;
  readonly keep: boolean;
}

export const USAGE = `npm run bench -- <name> [option…]

  b2   accepted calls a second, answered after their commit
  b4   3 durable steps in sequence, one run at a time
  b5   runs of 2 durable steps with a local HTTP call each, saturated
  b7   one call through the hub, next to fetch straight to its target
  b10  b5 while nodes are killed and PostgreSQL restarts
  b13  b5 with millions of ended calls, many waiting ones and an open snapshot
  b14  from a clone to a hub that is ready

  --seconds n      measured time of a round                     --warm n        before it
  --repeat n       rounds                                       --connections n
  --outstanding n  runs under way at once                       --rate n        b7: calls a second
  --millions a,b   b13: ended calls, in millions (0,1)          --waiting n     b13: waiting calls (100000)
  --data-dir path  an existing directory on the disk to measure
  --profile path   an existing directory for CPU profiles of the hub
  --dry            print only: no line in bench/results, no chart
  --keep           leave the directory with logs and database`;

/** @throws with what is wrong and the usage */
export function parseOptions(args: readonly string[], defaults: Partial<Options>): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: text,
      warm: text,
      repeat: text,
      connections: text,
      outstanding: text,
      rate: text,
      millions: text,
      waiting: text,
      'data-dir': text,
      profile: text,
      dry: flag,
      keep: flag,
    },
  });
  const number = (
    name: 'seconds' | 'warm' | 'repeat' | 'connections' | 'outstanding' | 'rate' | 'waiting',
    usual: number,
  ): number => (values[name] === undefined ? (defaults[name] ?? usual) : positive(name, values[name]));
  return {
    seconds: number('seconds', 10),
    warm: number('warm', 3),
    repeat: number('repeat', 3),
    connections: number('connections', 64),
    outstanding: number('outstanding', 128),
    rate: number('rate', 100),
    millions: values.millions?.split(',').map((part) => positive('millions', part)) ?? [0, 1],
    waiting: number('waiting', 100_000),
    dataDir: values['data-dir'],
    profile: values.profile,
    dry: values.dry ?? false,
    keep: values.keep ?? false,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new Error(`--${name} takes a number, not "${text}".`);
  return value;
}
