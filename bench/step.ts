/**
 * A step of a run in the benchmarks: one `http/request` to the stub, whose address says which step of how many it is,
 * and of which run. So the stub knows what it served, the hub's continuation knows what follows, and neither needs
 * to be told by the other.
 */
export interface Step {
  /** 1 for the first. */
  readonly step: number;
  readonly last: number;
  /** Number of the run, given by whoever asked for it. */
  readonly key: number;
}

const PATH = /\/s\/(\d+)\/(\d+)\/(\d+)$/;

/** The step an address or a path names, if it names one. */
export function stepOf(address: string): Step | undefined {
  const found = PATH.exec(address);
  return found ? { step: Number(found[1]), last: Number(found[2]), key: Number(found[3]) } : undefined;
}

export function stepPath({ step, last, key }: Step): string {
  return `/s/${step}/${last}/${key}`;
}

/** The input of the call that makes a step, as JSON. @param stub `http://127.0.0.1:4000` */
export function inputOf(stub: string, step: Step): string {
  return `{"url":"${stub}${stepPath(step)}"}`;
}

/** The input of the step after the one with this input; undefined after the last. */
export function inputAfter(input: string): string | undefined {
  const { url } = JSON.parse(input) as { url: string };
  const done = stepOf(url);
  if (!done || done.step >= done.last) return undefined;
  return inputOf(new URL(url).origin, { ...done, step: done.step + 1 });
}
