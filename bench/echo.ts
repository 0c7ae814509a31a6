import { inputOf } from './step.ts';

/** One action at a time-table: straight to the stub, and through a hub. */
export interface EchoPlan {
  readonly address: string;
  readonly token: string;
  readonly stub: number;
  /** Calls a second, of each of the two ways. */
  readonly rate: number;
  readonly seconds: number;
  readonly firstKey: number;
}

export interface EchoReport {
  /** Milliseconds of `fetch` straight to the stub. */
  readonly straight: Float64Array;
  /** Milliseconds from sending the call until a reading of it shows that it has succeeded. */
  readonly through: Float64Array;
  readonly accepted: readonly number[];
  /** Calls that ended otherwise, and requests that failed. */
  readonly faults: readonly string[];
}

/** Milliseconds between two readings of a call. */
const LOOK_AGAIN = 1;

/** Makes calls at their times, whether the ones before have ended or not, so that a stall is not hidden. */
export async function echo(plan: EchoPlan): Promise<EchoReport> {
  const straight: number[] = [];
  const through: number[] = [];
  const accepted: number[] = [];
  const faults: string[] = [];
  const work: Promise<void>[] = [];
  const began = performance.now();
  const count = Math.floor(plan.rate * plan.seconds);
  for (let nth = 0; nth < count; nth++) {
    await until(began + (nth * 1000) / plan.rate);
    work.push(timed(straight, faults, () => askStraight(plan)));
    await until(began + ((nth + 0.5) * 1000) / plan.rate);
    const key = plan.firstKey + nth;
    work.push(timed(through, faults, () => askThrough(plan, key, () => accepted.push(key))));
  }
  await Promise.all(work);
  return { straight: Float64Array.from(straight), through: Float64Array.from(through), accepted, faults };
}

async function timed(into: number[], faults: string[], work: () => Promise<void>): Promise<void> {
  const began = performance.now();
  try {
    await work();
    into.push(performance.now() - began);
  } catch (error) {
    faults.push(String(error));
  }
}

async function askStraight({ stub }: EchoPlan): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${stub}/echo`);
  await response.json();
}

async function askThrough(plan: EchoPlan, key: number, accepted: () => void): Promise<void> {
  const { address, token, stub } = plan;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const input = inputOf(`http://127.0.0.1:${stub}`, { step: 1, last: 1, key });
  const body = `{"action":"http/request","input":${input}}`;
  const response = await fetch(`${address}/api/v1/calls`, { method: 'POST', headers, body });
  if (response.status !== 202) throw new Error(`The call was answered ${response.status}.`);
  accepted();
  const { id } = (await response.json()) as { id: string };
  for (;;) {
    const { state } = (await (await fetch(`${address}/api/v1/calls/${id}`, { headers })).json()) as {
      state: string;
    };
    if (state === 'succeeded') return;
    if (state !== 'queued' && state !== 'running') throw new Error(`The call is ${state}.`);
    await until(performance.now() + LOOK_AGAIN);
  }
}

async function until(time: number): Promise<void> {
  const left = time - performance.now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}
