import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { defineAction, defineConnector, object, secret, Type, type Action } from '@linkspan/sdk';
import { Registry } from 'prom-client';
import { systemClock } from '../platform/clock.ts';
import { createEgress, parseEgressAllow, rulesFrom } from '../platform/egress/index.ts';
import { createLog } from '../platform/log.ts';
import { createCatalog, createCodeExecutor, type CodeAttempt } from './index.ts';

/** What the tests of this folder share: a server on loopback, the real way out, and one action to vary. */

export const CANARY = 'canary-4f1d-secret';

type Scope = { after(work: () => unknown): void };

/** Serves on loopback until the test ends. */
export async function serve(t: Scope, handler: RequestListener): Promise<{ url: string; host: string }> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `http://${host}`, host };
}

/** An executor over the real egress, which lets loopback through; and every line of its log. */
export function executorFor(t: Scope, connectors: Parameters<typeof createCatalog>[0], allow = '127.0.0.1') {
  const lines: string[] = [];
  const log = createLog({ level: 'trace', destination: { write: (line) => void lines.push(line) } });
  const egress = createEgress({
    rules: rulesFrom(parseEgressAllow(allow)),
    log,
    registry: new Registry(),
    clock: systemClock,
  });
  t.after(() => egress.close());
  const catalog = createCatalog(connectors);
  const parts = { egress, log, clock: systemClock };
  return {
    executor: createCodeExecutor({
      catalog,
      ...parts,
      openCallback: async ({ id }, name) => `https://hub.example/cb/${id}/${name}`,
    }),
    catalog,
    lines,
    parts,
  };
}

export function attemptOf(action: string, input: unknown, more: Partial<CodeAttempt> = {}): CodeAttempt {
  const ids = { id: 'call-1', tenant: 'tenant-1', principal: 'principal-1' };
  return {
    call: { ...ids, action, input: JSON.stringify(input), attempt: 2, details: { context: { order: 7 } } },
    signal: new AbortController().signal,
    idempotencyKey: 'key-1',
    ...more,
  };
}

const base = defineAction({
  id: 'do',
  title: 'Do',
  description: 'Does what the test says.',
  input: object({ url: Type.Optional(Type.String()), key: Type.Optional(secret()) }),
  output: object({ text: Type.String() }),
  effect: 'write',
  repeat: 'never',
  errors: { nope: { meaning: 'It would not.', retry: 'rate_limited' } },
  examples: [{ title: 'x', input: {} }],
  run: async () => ({ text: 'done' }),
});

export type TestContext = Parameters<typeof base.run>[0];

/** A connector `test` with the one action `do`. */
export function connectorWith(change: { run?: (ctx: TestContext) => unknown; [field: string]: unknown }) {
  const action = { ...base, ...change } as unknown as Action;
  return defineConnector({ id: 'test', title: 'Test', description: 'For tests.', actions: [action] });
}
