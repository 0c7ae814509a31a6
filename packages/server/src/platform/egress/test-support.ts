import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Server as SocketServer } from 'node:net';
import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { systemClock } from '../clock.ts';
import { HubError } from '../errors.ts';
import { createLog } from '../log.ts';
import { createEgress, parseEgressAllow, rulesFrom, type Egress, type EgressOptions } from './index.ts';

/** What the tests of egress share: real servers on loopback, and a way out with a name service of the test's own. */

/** Answers of the name service by host; several answers are given one after the other, the last one for good. */
export type Names = Record<string, readonly (readonly string[])[]>;

export interface TestEgress extends Egress {
  readonly registry: Registry;
  /** Names that were asked for, in order. */
  readonly asked: string[];
}

export function openEgress(
  t: TestContext,
  { allow = '', names = {}, ...options }: Partial<EgressOptions> & { allow?: string; names?: Names } = {},
): TestEgress {
  const registry = new Registry();
  const asked: string[] = [];
  const egress = createEgress({
    rules: rulesFrom(parseEgressAllow(allow)),
    log: createLog({ level: 'silent' }),
    registry,
    clock: systemClock,
    resolver: async (host) => {
      const answers = names[host] ?? [];
      const times = asked.filter((name) => name === host).length;
      asked.push(host);
      return answers[Math.min(times, answers.length - 1)] ?? [];
    },
    ...options,
  });
  t.after(() => egress.close());
  return Object.assign(egress, { registry, asked });
}

/** Lets a server listen on `host` until the test ends; resolves with its port. */
export async function listen(t: TestContext, server: SocketServer, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, host);
  await once(server, 'listening');
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

/** A HTTP server that counts its connections. */
export async function serve(
  t: TestContext,
  handler: RequestListener,
  host?: string,
): Promise<{ readonly server: Server; readonly port: number; readonly connections: () => number }> {
  const server = createServer(handler);
  let connections = 0;
  server.on('connection', () => connections++);
  return { server, port: await listen(t, server, host), connections: () => connections };
}

/** The error a promise rejects with; fails when it is none of egress's. */
export async function errorOf(work: Promise<unknown>): Promise<HubError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof HubError) return error;
    throw new Error('not an error of egress', { cause: error });
  }
  throw new Error('nothing was thrown');
}

/** Text of a file of `test-fixtures`. */
export function fixture(name: string): string {
  return readFileSync(new URL(`test-fixtures/${name}`, import.meta.url), 'utf8');
}
