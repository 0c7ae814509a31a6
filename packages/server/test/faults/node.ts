import { Registry } from 'prom-client';
import { Pool } from 'undici';
import {
  createEngine,
  type Attempt,
  type Continuations,
  type Engine,
  type Executor,
  type NewCall,
  type Outcome,
  type PolicyOverride,
  type Repeatable,
} from '../../src/calls/engine/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { openDatabase, type DatabaseTarget } from '../../src/platform/database/index.ts';
import type { Log } from '../../src/platform/log.ts';
import type { StubRequest } from './stub.ts';

export const TENANT = '01990000-0000-7000-8000-000000000001';

/** What a client asks for: one call, or a run of two that ends with its second. */
export interface Ask {
  readonly action: 't/idempotent' | 't/keyed' | 't/probed' | 't/never';
  /** Chosen by the client, so that it finds again what it was told nothing about. */
  readonly run: string;
  /** The second step shares the commit of the first one's end, or comes in a later one. */
  readonly second?: 'at once' | 'later';
  /** A member of this group, which is followed by one more call. */
  readonly group?: string;
  /** Milliseconds before it starts. */
  readonly delay?: number;
}

export interface NodeSettings {
  readonly database: DatabaseTarget;
  /** Address of the stub. */
  readonly stub: string;
  /** Milliseconds. */
  readonly lease: number;
}

/** A node: an engine whose calls go to the stub. */
export interface Node {
  readonly engine: Engine;
  accept(ask: Ask): Promise<string>;
  /** Calls it says it ended, in their order. */
  readonly ended: readonly string[];
  close(): Promise<void>;
}

const POLICY: PolicyOverride = { attempts: 30, delay: 50, maxDelay: 500, attemptTimeout: 60_000 };

const REPEATABLE: Readonly<Record<Ask['action'], Repeatable>> = {
  't/idempotent': 'idempotent',
  't/keyed': 'keyed',
  't/probed': 'probed',
  't/never': 'never',
};

/** Starts one beside others. */
export async function startNode({ database: target, stub, lease }: NodeSettings, log: Log): Promise<Node> {
  const database = openDatabase(target, log);
  const pool = new Pool(stub, { connections: 256, headersTimeout: 0, bodyTimeout: 0 });
  const ended: string[] = [];
  const engine = createEngine({
    database,
    clock: systemClock,
    log,
    registry: new Registry(),
    executor: executorOf(pool),
    continuations,
    lease,
    sweepEvery: 100,
    sole: false,
    ended: ({ call }) => void ended.push(call.id),
  });
  await engine.start();
  return {
    engine,
    ended,
    accept: async (ask) => (await engine.accept(callOf(ask))).id,
    async close() {
      try {
        await engine.drain(2_000);
      } finally {
        await pool.destroy();
        await database.close();
      }
    },
  };
}

function callOf({ action, run, second, group, delay }: Ask): NewCall {
  return {
    tenant: TENANT,
    action,
    target: 'stub',
    input: JSON.stringify({ second }),
    place: { run, step: second ? 'first' : 'only' },
    ...(group && { group: { id: group, details: run } }),
    ...(delay !== undefined && { delay }),
  };
}

const continuations: Continuations = {
  callEnded({ call, state }) {
    if (call.details.step !== 'first' || state !== 'succeeded') return [];
    const { tenant, action, target, run, input } = call;
    const next: NewCall = { tenant, action, target, input, place: { run: run!, step: 'second' } };
    return input.includes('later') ? Promise.resolve([next]) : [next];
  },
  groupEnded: ({ tenant, id }) => [
    { tenant, action: 't/idempotent', target: 'stub', input: '{}', place: { run: id, step: 'join' } },
  ],
};

function executorOf(pool: Pool): Executor {
  return {
    about(action) {
      const repeatable = REPEATABLE[action as Ask['action']] as Repeatable | undefined;
      return repeatable && { repeatable, policy: POLICY };
    },
    execute: (attempt) => tellStub(pool, attempt, false),
    probe: (attempt) => tellStub(pool, attempt, true),
  };
}

async function tellStub(pool: Pool, attempt: Attempt, probe: boolean): Promise<Outcome> {
  const { id, action, run = '', details, attempt: nth } = attempt.call;
  const step = details.step ?? '';
  const key = attempt.idempotencyKey;
  const request: StubRequest = { call: id, attempt: nth, key, action, run, step, probe };
  try {
    const body = JSON.stringify(request);
    const reply = await pool.request({ method: 'POST', path: '/', body, signal: attempt.signal });
    const text = await reply.body.text();
    if (reply.statusCode === 200) return { kind: 'succeeded', output: text };
    return failed('failed', `status_${reply.statusCode}`);
  } catch {
    return failed('unknown', 'no_answer');
  }
}

function failed(kind: 'failed' | 'unknown', code: string): Outcome {
  return { kind, error: { code, message: code, retry: 'transient' } };
}
