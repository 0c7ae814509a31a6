import { Readable } from 'node:stream';
import type { Clock, StopTimer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

/** Why a reader is left. */
export type Leaving = 'draining' | 'too_slow' | 'failed';

export interface ReaderTerms {
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds a reader may let a text wait before it is told to come back, and as long again before it is cut off. */
  readonly patience: number;
  /** The last words to a reader. */
  readonly farewell: (reason: Leaving) => string;
}

/** Bytes kept for one reader beyond what the kernel takes. */
const BUFFER = 65_536;

/**
 * Hands texts to a reader at the reader's own pace: the next is made when the one before was taken, so that nothing is
 * kept for a slow one. One that takes nothing for too long is told so and left.
 */
export class PatientStream extends Readable {
  readonly #source: AsyncGenerator<string, void>;
  readonly #terms: ReaderTerms;
  #tooSlow = false;
  #stop: StopTimer = () => {};

  constructor(source: AsyncGenerator<string, void>, terms: ReaderTerms) {
    super({ highWaterMark: BUFFER });
    this.#source = source;
    this.#terms = terms;
  }

  override _read(): void {
    this.#stop();
    if (this.#tooSlow) this.#leave('too_slow');
    else void this.#next();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#stop();
    void this.#source.return();
    callback(error);
  }

  async #next(): Promise<void> {
    try {
      const { value, done } = await this.#source.next();
      if (this.destroyed) return;
      if (done) this.#leave('draining');
      else if (!this.push(value)) this.#waitForReader();
    } catch (err) {
      this.#terms.log.warn('a stream of events broke off', { err });
      this.#leave('failed');
    }
  }

  #waitForReader(): void {
    const { clock, patience } = this.#terms;
    this.#stop = clock.after(patience, () => {
      this.#tooSlow = true;
      this.#stop = clock.after(patience, () => this.destroy());
    });
  }

  #leave(reason: Leaving): void {
    this.push(this.#terms.farewell(reason));
    this.push(null);
  }
}
