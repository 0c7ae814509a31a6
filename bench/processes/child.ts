import { fork } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Question, Reply } from './messages.ts';

/** A process of a benchmark. */
export interface Child<Ready> {
  readonly pid: number;
  readonly ready: Ready;
  ask<T>(name: string, argument?: unknown): Promise<T>;
  /** Called for everything the process tells without being asked. */
  onTold(listener: (told: string) => void): void;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when it is gone, by force after 30 seconds. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  /** Path of the program, relative to `bench/processes`. */
  readonly program: string;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** File that takes what it prints. */
  readonly log: string;
  readonly nodeOptions?: readonly string[];
}

/** Starts a process and waits until it is ready. */
export async function startChild<Ready>(options: ChildOptions): Promise<Child<Ready>> {
  const file = fileURLToPath(new URL(options.program, import.meta.url));
  const out = openSync(options.log, 'a');
  const child = fork(file, [...(options.args ?? [])], {
    execArgv: [...(options.nodeOptions ?? [])],
    env: { PATH: process.env['PATH'], ...options.env },
    stdio: ['ignore', out, out, 'ipc'],
    serialization: 'advanced',
  });
  const gone = once(child, 'exit');
  const asked = new Map<number, PromiseWithResolvers<unknown>>();
  const ready = Promise.withResolvers<Ready>();
  let listener: ((told: string) => void) | undefined;
  let lastId = 0;

  child.on('message', (reply: Reply) => {
    if ('ready' in reply) return ready.resolve(reply.ready as Ready);
    if ('told' in reply) return listener?.(reply.told);
    const waiting = asked.get(reply.id);
    asked.delete(reply.id);
    if ('failed' in reply) waiting?.reject(new Error(reply.failed));
    else waiting?.resolve(reply.result);
  });
  child.once('exit', (code, signal) => {
    const fault = new Error(
      `${options.program} ended (${signal ?? code}); what it printed is in ${options.log}`,
    );
    ready.reject(fault);
    for (const waiting of asked.values()) waiting.reject(fault);
  });

  const value = await ready.promise;
  return {
    pid: child.pid!,
    ready: value,
    onTold: (heard) => (listener = heard),
    ask<T>(name: string, argument?: unknown) {
      const waiting = Promise.withResolvers<unknown>();
      asked.set(++lastId, waiting);
      child.send({ id: lastId, name, argument } satisfies Question);
      return waiting.promise as Promise<T>;
    },
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 30_000);
      await gone;
      clearTimeout(force);
    },
  };
}
