import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { Action } from '../action.ts';
import type { ActionContext, Outside } from '../context.ts';
import { ActionError, TransportError, UnknownOutcome, Waiting } from '../errors.ts';
import { abortedError, httpOf, type World } from './world.ts';

/** How a try of an action ended, and what it wrote to the log. */
export type Trial = { readonly log: readonly string[] } & (
  { readonly kind: 'output'; readonly output: unknown } | { readonly kind: 'thrown'; readonly error: unknown }
);

export interface TrialOptions {
  readonly world: World;
  /** Sockets of the test, for connectors with a protocol of their own. */
  readonly sockets?: Pick<Outside, 'connect' | 'secure'>;
  readonly signal?: AbortSignal;
  /** Milliseconds after which a try counts as one without an end. Default 10,000. */
  readonly endWithin?: number;
  /** Told when the action reaches out, or pauses. */
  readonly reachedOut?: () => void;
}

const NO_SOCKETS: Pick<Outside, 'connect' | 'secure'> = {
  connect: () => Promise.reject(noSockets()),
  secure: () => Promise.reject(noSockets()),
};

function noSockets(): TransportError {
  return new TransportError('egress_connect_failed', {
    message: 'The test gives no sockets',
    retry: 'unavailable',
    maySent: false,
  });
}

/** Runs an action once, the way the hub would. Never rejects. */
export async function tryAction(action: Action, input: unknown, options: TrialOptions): Promise<Trial> {
  const log: string[] = [];
  try {
    const work = Promise.resolve(action.run(contextOf(input, log, options)));
    const output = await endingWithin(work, options.endWithin ?? 10_000);
    return { kind: 'output', output, log };
  } catch (error) {
    return { kind: 'thrown', error, log };
  }
}

async function endingWithin<T>(work: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`it does not end within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

function contextOf(input: unknown, log: string[], options: TrialOptions): ActionContext<never> {
  const {
    world,
    sockets = NO_SOCKETS,
    signal = new AbortController().signal,
    reachedOut = () => undefined,
  } = options;
  return {
    input: structuredClone(input) as never,
    http: httpOf(world, signal, reachedOut),
    connect: (request) => (reachedOut(), sockets.connect(request)),
    secure: (socket, about) => sockets.secure(socket, about),
    log: { info: (line) => void log.push(line), warn: (line) => void log.push(line) },
    signal,
    tenant: '0198a0b0-0000-7000-8000-000000000001',
    principal: '0198a0b0-0000-7000-8000-000000000002',
    call: '0198a0b0-0000-7000-8000-000000000003',
    attempt: 1,
    idempotencyKey: '0198a0b0-0000-7000-8000-000000000003',
    context: undefined,
    async sleep() {
      reachedOut();
      await turnOfTheLoop();
      if (signal.aborted) throw abortedError();
    },
    secret: () => undefined,
    fail: (code, failure) => new ActionError(code, failure),
    unknown: (failure) => new UnknownOutcome(failure),
    callback: async (name) => `https://hub.example/cb/${name}`,
    wait: (ms) => new Waiting(ms),
  };
}
