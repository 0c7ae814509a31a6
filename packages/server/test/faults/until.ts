import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds after which something that does not happen is a fault. */
const PATIENCE = 30_000;

/** Asks again and again until the answer is neither false nor nothing; an error is an answer for later. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  patience: number = PATIENCE,
): Promise<NonNullable<Exclude<T, false>>> {
  let fault: unknown;
  for (const end = Date.now() + patience; Date.now() < end; await pause(10)) {
    try {
      const answer = await ask();
      if (answer !== false && answer !== undefined && answer !== null)
        return answer as NonNullable<Exclude<T, false>>;
    } catch (error) {
      fault = error;
    }
  }
  throw new Error(`This did not happen in ${patience} ms: ${what}`, { cause: fault });
}
