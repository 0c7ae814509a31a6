import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';

/** Where and with what something was measured. */
export interface Circumstances {
  /** Hash of the commit; with `+` when the tree differs from it. */
  readonly commit: string;
  readonly node: string;
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly memoryGiB: number;
    readonly system: string;
  };
}

export function circumstances(root: string): Circumstances {
  const processors = cpus();
  return {
    commit: commitOf(root),
    node: process.version,
    machine: {
      processor: processors[0]?.model.trim() ?? 'unknown',
      cores: processors.length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${process.platform}-${process.arch} ${release()}`,
    },
  };
}

/** A tree without git has no commit. */
function commitOf(root: string): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const hash = git('rev-parse', '--short=12', 'HEAD');
    return git('status', '--porcelain', '--', 'packages', 'package-lock.json') === '' ? hash : `${hash}+`;
  } catch {
    return 'unknown';
  }
}
