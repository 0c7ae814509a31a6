import type { Clock } from '../platform/clock.ts';
import type { Signal } from '../platform/signal/index.ts';

/** Of signals between nodes: events were written. */
const TOPIC = 'event.written';

/** Milliseconds between two signals of this node: under load there is always something new. */
const APART = 20;

/** Wakes those who read events when there may be something new, on this node and on the others. */
export class Wake {
  readonly #signal: Signal;
  readonly #clock: Clock;
  readonly #sleepers = new Set<() => void>();
  readonly #leave: () => void;
  #count = 0;
  #quiet = false;
  #again = false;

  constructor(signal: Signal, clock: Clock) {
    this.#signal = signal;
    this.#clock = clock;
    this.#leave = signal.on(TOPIC, { heard: () => this.#awake(), missed: () => this.#awake() });
  }

  /** Events were written and are committed. Cheap: what comes in quick succession is told once more at its end. */
  tell(): void {
    if (this.#quiet) {
      this.#again = true;
      return;
    }
    this.#quiet = true;
    this.#signal.send(TOPIC);
    this.#clock.after(APART, () => {
      this.#quiet = false;
      if (this.#again) this.tell();
      this.#again = false;
    });
  }

  /** To be taken before reading, so that what is written meanwhile is not slept over. */
  get mark(): number {
    return this.#count;
  }

  /** Waits until there was news after the mark, at most `ms` milliseconds. */
  async wait(mark: number, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#count !== mark || signal.aborted) return;
    const nap = new AbortController();
    const rise = (): void => nap.abort();
    this.#sleepers.add(rise);
    signal.addEventListener('abort', rise, { once: true });
    await this.#clock.sleep(ms, nap.signal);
    signal.removeEventListener('abort', rise);
    this.#sleepers.delete(rise);
  }

  close(): void {
    this.#leave();
    this.#awake();
  }

  #awake(): void {
    this.#count++;
    for (const rise of this.#sleepers) rise();
  }
}
