import { TransportError, type ActionLog, type BaseContext } from '@linkspan/sdk';
import { createRedactor, textsAt, type Redactor } from '@linkspan/sdk/hub';
import type { Clock, StopTimer } from '../../../platform/clock.ts';
import type { Log } from '../../../platform/log.ts';
import type { CatalogAction } from '../../action.ts';
import { outsideOf, type OutsideOptions, type WatchedOutside } from './outside.ts';

/** What the hub lends to connectors. */
export interface VisitParts {
  readonly egress: OutsideOptions['egress'];
  readonly log: Log;
  readonly clock: Clock;
}

/** For whom a function of a connector runs. */
export interface Visitor {
  readonly tenant: string;
  readonly principal: string | undefined;
  readonly call?: string;
}

/** One stay in a connector's code: what it is given, and the end of all it began. */
export interface Visit {
  readonly base: BaseContext;
  readonly outside: WatchedOutside;
  readonly redactor: Redactor;
  /**
   * Awaits the connector's own word; once the signal has aborted, not for long.
   *
   * @throws what `work` throws, or an Error when it does not stop
   */
  lastWord<T>(work: () => Promise<T>): Promise<T>;
  /** Aborts what is still under way and closes every socket. */
  end(): void;
}

/** Milliseconds a connector has to say what happened once its signal has aborted. */
const LAST_WORD = 250;

const LONGEST_LINE = 1_000;

export function visit(
  { egress, log, clock }: VisitParts,
  action: CatalogAction,
  input: unknown,
  visitor: Visitor,
  signal: AbortSignal,
): Visit {
  const abort = new AbortController();
  const { promise: tooLong, reject } = Promise.withResolvers<never>();
  tooLong.catch(() => undefined);
  let stopTimer: StopTimer | undefined;
  const forward = (): void => {
    abort.abort(signal.reason);
    stopTimer = clock.after(LAST_WORD, () => reject(new Error('it did not stop')));
  };
  if (signal.aborted) forward();
  else signal.addEventListener('abort', forward, { once: true });

  const redactor = createRedactor(action.secretPaths.flatMap((path) => textsAt(input, path)));
  const { tenant, principal, call } = visitor;
  const scope = { tenant, connector: action.connector };
  const outside = outsideOf({ egress, scope, signal: abort.signal });
  return {
    outside,
    redactor,
    base: {
      http: outside.http,
      connect: outside.connect,
      secure: outside.secure,
      log: logOf(log, redactor, { action: action.id, ...(call !== undefined && { call }) }),
      signal: abort.signal,
      tenant,
      principal,
      async sleep(ms) {
        await clock.sleep(ms, abort.signal);
        if (abort.signal.aborted) throw abortedError();
      },
      secret: (text) => redactor.add(text),
    },
    lastWord: (work) => Promise.race([invoked(work), tooLong]),
    end() {
      signal.removeEventListener('abort', forward);
      stopTimer?.();
      abort.abort('ended');
      outside.close();
    },
  };
}

/** A function of plain JavaScript may throw before it gives a promise. */
async function invoked<T>(work: () => Promise<T>): Promise<T> {
  return work();
}

function abortedError(): TransportError {
  return new TransportError('attempt_aborted', {
    message: 'The attempt was given up.',
    retry: 'transient',
    maySent: false,
  });
}

function logOf(log: Log, redactor: Redactor, about: { action: string; call?: string }): ActionLog {
  const write = (level: 'info' | 'warn') => (line: string) =>
    log[level]('a connector says', {
      ...about,
      line: redactor.text(line).slice(0, LONGEST_LINE),
    });
  return { info: write('info'), warn: write('warn') };
}
