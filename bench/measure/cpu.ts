import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in `/proc`, on every Linux that runs Node. */
const TICKS = 100;

interface Usage {
  readonly parent: number;
  /** Seconds of processor time, own and of children that have ended. */
  readonly seconds: number;
}

/** Processor seconds a process and everything below it have used; undefined where there is no `/proc`. */
export function cpuOf(root: number): number | undefined {
  const usages = readAll();
  if (!usages) return undefined;
  let sum = 0;
  for (const [pid, { seconds }] of usages) if (isBelow(pid, root, usages)) sum += seconds;
  return sum;
}

/** Processor seconds everything on this machine has used since it started; undefined where there is no `/proc`. */
export function cpuOfAll(): number | undefined {
  try {
    return parseBusy(readFileSync('/proc/stat', 'utf8'));
  } catch {
    return undefined;
  }
}

/** Of user, nice, system, idle, iowait, irq, softirq and steal: all but the two that are idle. */
export function parseBusy(stat: string): number {
  const fields = stat.slice(0, stat.indexOf('\n')).trim().split(/ +/).slice(1, 9).map(Number);
  return fields.reduce((sum, ticks, index) => (index === 3 || index === 4 ? sum : sum + ticks), 0) / TICKS;
}

/** Bytes of memory that a process holds; undefined where there is no `/proc`. */
export function memoryOf(pid: number): number | undefined {
  try {
    const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return found ? Number(found[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}

function isBelow(pid: number, root: number, usages: ReadonlyMap<number, Usage>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = usages.get(at)?.parent)
    if (at === root) return true;
  return false;
}

function readAll(): Map<number, Usage> | undefined {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return new Map(pids.flatMap((pid) => readOne(Number(pid))));
  } catch {
    return undefined;
  }
}

/** A process that has just ended has no line. */
function readOne(pid: number): [number, Usage][] {
  try {
    const usage = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return [[pid, usage]];
  } catch {
    return [];
  }
}

/** The name of a program stands in parentheses and may contain anything, so fields are counted from the last one. */
export function parseStat(line: string): Usage {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  return { parent: Number(fields[1]), seconds: ticks / TICKS };
}
