import type { Clock } from '../clock.ts';
import { HubError } from '../errors.ts';
import type { Log } from '../log.ts';

/** Milliseconds between tries. */
const PAUSE = 500;

/**
 * Does the first work on a database, and waits for up to `wait` milliseconds for one that does not answer yet: hub and
 * database are often started together.
 */
export async function whenReachable<T>(
  work: () => Promise<T>,
  { clock, wait, log }: { clock: Clock; wait: number; log: Log },
): Promise<T> {
  const until = clock.now() + wait;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const away = error instanceof HubError && error.code === 'database_unavailable';
      if (!away || clock.now() + PAUSE > until) throw error;
      log.warn('waiting for the database', { err: error });
      await clock.sleep(PAUSE);
    }
  }
}
