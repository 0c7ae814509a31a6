import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import type { Scope } from './scope.ts';

/** What a node says when it makes an attempt. */
export interface StubRequest {
  readonly call: string;
  readonly attempt: number;
  readonly key: string;
  readonly action: string;
  readonly run: string;
  readonly step: string;
  /** Only asks whether the call was done before. */
  readonly probe: boolean;
}

/** A request in the stub's log. */
export interface Execution extends StubRequest {
  /** What it was answered with; nothing when it was not (yet). */
  answer: { readonly status: number; readonly body: string } | undefined;
  /** The action recognised the key of an earlier one, and did nothing. */
  readonly repeated: boolean;
}

/** How the stub treats a request: when it answers, with what, or not at all. */
export interface Treatment {
  readonly after?: Promise<unknown>;
  readonly status?: number;
  /** Does it, and closes the connection instead of answering. */
  readonly mute?: boolean;
}

/** The outside world. Its log, not the hub's tables, says what was done. */
export interface Stub {
  readonly address: string;
  /** In the order they arrived. Probes are not in it. */
  readonly log: readonly Execution[];
  readonly probes: number;
  treat: (request: StubRequest) => Treatment;
}

export async function startStub(t: Scope): Promise<Stub> {
  const log: Execution[] = [];
  let probes = 0;
  const server = createServer((message, reply) => {
    void serve(message, reply);
  });
  async function serve(message: IncomingMessage, reply: ServerResponse): Promise<void> {
    const request = (await json(message)) as StubRequest;
    if (request.probe) {
      probes++;
      const done = log.some(({ call }) => call === request.call);
      return end(reply, { status: done ? 200 : 404, body: bodyOf(request) });
    }
    const repeated = request.action === 't/keyed' && log.some(({ key }) => key === request.key);
    const execution: Execution = { ...request, repeated, answer: undefined };
    log.push(execution);
    const { after, status = 200, mute = false } = stub.treat(request);
    await after;
    if (mute) return void message.destroy();
    execution.answer = { status, body: bodyOf(request) };
    return end(reply, execution.answer);
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const stub: Stub = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    get probes() {
      return probes;
    },
    treat: () => ({}),
  };
  return stub;
}

function end(reply: ServerResponse, { status, body }: { status: number; body: string }): void {
  reply.writeHead(status, { 'content-type': 'application/json' }).end(body);
}

/** The same for every attempt of a call, so that a recorded output tells whose it is. */
function bodyOf({ call, step }: StubRequest): string {
  return JSON.stringify({ call, step });
}
