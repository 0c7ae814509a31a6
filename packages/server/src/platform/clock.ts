/**
 * Time, as a port: whatever waits or compares times asks a clock, so that tests can shift it.
 * Leases never use this clock; they use the database's (engine rule 5).
 */

/** Ends a timer. Ending twice, or after it fired, does nothing. */
export type StopTimer = () => void;

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `work` once, `ms` milliseconds from now. Pending timers never keep the process alive. */
  after(ms: number, work: () => void): StopTimer;
  /** Resolves after `ms` milliseconds, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The largest delay one timer carries (about 24.8 days); a longer one is cut into pieces. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, work) {
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      timer =
        left > LONGEST_TIMER
          ? setTimeout(() => arm(left - LONGEST_TIMER), LONGEST_TIMER)
          : setTimeout(work, left);
      timer.unref();
    };
    arm(ms);
    return () => clearTimeout(timer);
  },
  sleep(ms, signal) {
    return sleepOn(systemClock, ms, signal);
  },
};

/** `Clock.sleep` in terms of `Clock.after`, for every clock. */
export function sleepOn(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = clock.after(ms, finish);
  function finish(): void {
    stop();
    signal?.removeEventListener('abort', finish);
    resolve();
  }
  signal?.addEventListener('abort', finish, { once: true });
  return promise;
}
