import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { Clock, StopTimer } from '../../src/platform/clock.ts';
import { sleepOn } from '../../src/platform/clock.ts';

interface Timer {
  readonly due: number;
  readonly work: () => void;
}

/** A clock that stands still until a test moves it. */
export class HandClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();

  /** `start` in milliseconds since the epoch. */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, work: () => void): StopTimer {
    const timer: Timer = { due: this.#now + Math.max(0, ms), work };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /**
   * Lets `ms` milliseconds pass. Timers fire in the order they are due, each at its own time, those of one time in
   * the order they were made; timers made meanwhile fire too. After each, promises run on until nothing is left
   * to do without the world outside.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await turnOfTheLoop();
    for (let next = this.#next(until); next; next = this.#next(until)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.work();
      await turnOfTheLoop();
    }
    this.#now = until;
  }

  #next(until: number): Timer | undefined {
    const due = [...this.#timers].filter((timer) => timer.due <= until);
    return due.toSorted((a, b) => a.due - b.due)[0];
  }
}
