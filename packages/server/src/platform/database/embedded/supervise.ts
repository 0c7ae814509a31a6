import { setTimeout as pause } from 'node:timers/promises';
import { HubError } from '../../errors.ts';
import { embeddedErrors } from './errors.ts';
import { endRemains } from './remains.ts';
import { startServer, type Server, type ServerOptions } from './server.ts';

/** Keeps a server running until it is stopped. */
export interface Supervisor {
  /** Process id of the server that runs now. */
  readonly pid: number;
  /** Resolves, with the reason, when the server ended and would not start again. Stays pending otherwise. */
  readonly gaveUp: Promise<HubError>;
  stop(): Promise<void>;
}

export interface SupervisorOptions extends ServerOptions {
  readonly retries?: readonly number[];
}

/** Milliseconds to wait before each try to start it again; after the last one it is given up. */
const RETRIES = [0, 200, 1_000, 3_000, 10_000];

/** A server that ran this long, in milliseconds, was healthy: its next end begins a new series of tries. */
const HEALTHY = 30_000;

/** Starts the server; from then on starts it again whenever it ends by itself. */
export async function supervise(options: SupervisorOptions): Promise<Supervisor> {
  await endRemains(options.layout, options.log);
  const state = { server: await startServer(options), startedAt: Date.now(), tries: 0 };
  const stopping = new AbortController();
  const gaveUp = Promise.withResolvers<HubError>();
  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const { exitCode, signal } = await state.server.ended;
      if (stopping.signal.aborted) return;
      options.log.error('the embedded PostgreSQL ended by itself and is started again', {
        exitCode: exitCode ?? -1,
        signal: signal ?? 'none',
      });
      if (Date.now() - state.startedAt >= HEALTHY) state.tries = 0;
      await startAgain(options, state, stopping.signal);
    }
  };
  const watching = watch().catch((error: unknown) => {
    options.log.fatal('the embedded PostgreSQL does not start again', { err: error });
    gaveUp.resolve(asHubError(error));
  });
  return {
    get pid() {
      return state.server.pid;
    },
    gaveUp: gaveUp.promise,
    async stop() {
      stopping.abort();
      await state.server.stop();
      await watching;
    },
  };
}

/** Ends early when it is stopped meanwhile: nothing runs then. */
async function startAgain(
  options: SupervisorOptions,
  state: { server: Server; startedAt: number; tries: number },
  stopping: AbortSignal,
): Promise<void> {
  const { retries = RETRIES } = options;
  for (;;) {
    const delay = retries[state.tries++];
    if (delay === undefined)
      throw embeddedErrors.postgres_refused_to_start({ detail: 'It ends again and again.' });
    await pause(delay, undefined, { signal: stopping }).catch(() => {});
    if (stopping.aborted) return;
    try {
      await endRemains(options.layout, options.log);
      state.server = await startServer(options);
      state.startedAt = Date.now();
      if (stopping.aborted) await state.server.stop();
      return;
    } catch (error) {
      if (retries[state.tries] === undefined) throw error;
      options.log.error('the embedded PostgreSQL did not start', { err: error });
    }
  }
}

function asHubError(error: unknown): HubError {
  return error instanceof HubError ? error : embeddedErrors.postgres_refused_to_start({ cause: error });
}
