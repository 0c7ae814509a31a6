import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Scope } from './scope.ts';
import type { NodeSettings } from './node.ts';

/** A node in a process of its own. */
export interface NodeProcess {
  readonly address: string;
  /** Ends it as a power failure would; resolves when it is gone. */
  kill(): Promise<void>;
  /** Stops it where it is, without its noticing. */
  pause(): void;
  resume(): void;
}

/** Starts one; it does not outlive the test. */
export async function startNodeProcess(t: Scope, settings: NodeSettings): Promise<NodeProcess> {
  const file = fileURLToPath(new URL('node-process.ts', import.meta.url));
  const child = spawn(process.execPath, [file, JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  t.after(() => end(child, ended));
  const said: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => said.push(line));
  const port = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]);
  if (child.exitCode !== null) throw new Error(`A node did not start: ${said.join('\n')}`);
  return {
    address: `http://127.0.0.1:${String(port[0])}`,
    kill: () => end(child, ended),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  };
}

async function end(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}
