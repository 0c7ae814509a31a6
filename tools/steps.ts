import { spawn } from 'node:child_process';
import { ROOT } from './root.ts';

/** One check: a program that fails with an exit code. */
export interface Step {
  readonly name: string;
  /** Arguments of the pinned Node. */
  readonly args: readonly string[];
}

export interface Outcome {
  readonly step: Step;
  readonly passed: boolean;
  readonly seconds: number;
  readonly output: string;
}

/** Runs one step to its end. `watch` sees its output as it comes. */
export async function runStep(step: Step, watch?: (text: string) => void): Promise<Outcome> {
  const began = performance.now();
  const env = { ...process.env, ...(watch && process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}) };
  const child = spawn(process.execPath, step.args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = (): void => void child.kill('SIGTERM');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, end);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      watch?.(text);
    });
  const passed = await new Promise<boolean>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0));
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end);
  return { step, passed, seconds: (performance.now() - began) / 1000, output };
}

/** Runs steps, `lanes` at a time, in order. */
export async function runSteps(
  steps: readonly Step[],
  lanes: number,
  tell: (outcome: Outcome) => void,
): Promise<Outcome[]> {
  const waiting = [...steps];
  const outcomes: Outcome[] = [];
  const lane = async (): Promise<void> => {
    for (let step = waiting.shift(); step; step = waiting.shift()) {
      const outcome = await runStep(step);
      outcomes.push(outcome);
      tell(outcome);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcomes;
}
