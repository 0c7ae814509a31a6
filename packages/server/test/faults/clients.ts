import { setTimeout as pause } from 'node:timers/promises';
import { Agent } from 'undici';
import { newId } from '../../src/platform/ids.ts';
import type { Scope } from './scope.ts';
import type { Ask } from './node.ts';

/** The callers of the hub, and what each was told: the other half of the truth beside the stub's log. */
export interface Clients {
  /** By run: the id that came with a 202. */
  readonly accepted: ReadonlyMap<string, string>;
  /** By run. */
  readonly asked: ReadonlyMap<string, Ask>;
  /** Runs of which a caller was told that nothing was written. */
  readonly refused: ReadonlySet<string>;
  /** Asks a node; the id, or undefined when it was not told 202. */
  ask(address: string, ask: Ask): Promise<string | undefined>;
  /** Notes what was told by another way than HTTP. */
  note(ask: Ask, told: Promise<string>): Promise<string | undefined>;
}

/** Codes of a 503 that promise that nothing was written. */
const UNTOUCHED: readonly unknown[] = ['writes_backed_up', 'overloaded', 'node_draining'];

export function createClients(t: Scope): Clients {
  const agent = new Agent({ connections: 64 });
  t.after(() => agent.destroy());
  const accepted = new Map<string, string>();
  const asked = new Map<string, Ask>();
  const refused = new Set<string>();
  const clients: Clients = {
    accepted,
    asked,
    refused,
    ask: (address, ask) => clients.note(ask, post(agent, address, ask)),
    async note(ask, told) {
      asked.set(ask.run, ask);
      try {
        const id = await told;
        accepted.set(ask.run, id);
        return id;
      } catch (error) {
        if (UNTOUCHED.includes((error as { code?: unknown }).code)) refused.add(ask.run);
        return undefined;
      }
    },
  };
  return clients;
}

async function post(agent: Agent, address: string, ask: Ask): Promise<string> {
  const { statusCode, body } = await agent.request({
    origin: address,
    method: 'POST',
    path: '/',
    body: JSON.stringify(ask),
  });
  const answer = (await body.json()) as { id?: string; code?: string };
  if (statusCode === 202 && answer.id !== undefined) return answer.id;
  throw Object.assign(new Error('The node refused.'), { code: answer.code });
}

/** Anything a client may ask for. */
export function anyAsk(chance: () => number): Ask {
  const one = <T>(list: readonly T[]): T => list[Math.floor(chance() * list.length)]!;
  const second = one(['at once', 'later', undefined] as const);
  return {
    run: newId(),
    action: one(['t/idempotent', 't/keyed', 't/probed', 't/never'] as const),
    ...(second && { second }),
    ...(chance() < 0.1 && { group: newId() }),
    ...(chance() < 0.1 && { delay: 50 }),
  };
}

export interface Load {
  /** Callers at once. */
  readonly callers: number;
  /** Milliseconds each of them takes after an answer. */
  readonly pause: number;
  /** The nodes there are now. */
  readonly addresses: () => readonly string[];
  readonly chance: () => number;
}

/** Lets callers ask until it is ended; resolves to when the last has its answer. */
export function startLoad(clients: Clients, load: Load): { end(): Promise<void> } {
  const ended = new AbortController();
  const caller = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const addresses = load.addresses();
      const address = addresses[Math.floor(load.chance() * addresses.length)];
      if (address !== undefined) await clients.ask(address, anyAsk(load.chance));
      await pause(load.pause);
    }
  };
  const all = Promise.all(Array.from({ length: load.callers }, caller));
  return {
    async end() {
      ended.abort();
      await all;
    },
  };
}
