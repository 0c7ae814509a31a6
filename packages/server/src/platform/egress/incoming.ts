import type { HubError } from '../errors.ts';

/** What the sender of bytes lets itself be told. */
export interface Flow {
  pause(): void;
  resume(): void;
  abort(): void;
}

/** Bytes kept before the sender is asked to wait. */
const HIGH_WATER = 65_536;

/**
 * The bytes of an answer as they come in, read once, either piece by piece or as a whole. Leaner than a stream of
 * Node, which a call with a small answer would spend most of its time on.
 */
export class Incoming implements AsyncIterable<Buffer> {
  readonly #flow: Flow;
  #chunks: Buffer[] = [];
  #size = 0;
  #done = false;
  #error: HubError | undefined;
  #paused = false;
  #whole = false;
  #taken = false;
  #wake: (() => void) | undefined;

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#whole) return;
    if (this.#size >= HIGH_WATER && !this.#paused) {
      this.#paused = true;
      this.#flow.pause();
    }
    this.#wakeUp();
  }

  end(): void {
    this.#done = true;
    this.#wakeUp();
  }

  fail(error: HubError): void {
    if (this.#done) return;
    this.#error = error;
    this.#chunks = [];
    this.end();
  }

  /** All bytes. */
  async bytes(): Promise<Buffer> {
    this.#take();
    this.#whole = true;
    this.#resume();
    while (!this.#done) await this.#news();
    if (this.#error) throw this.#error;
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#size);
  }

  /** The bytes as they come. Leaving the loop early ends the connection. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    this.#take();
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk) {
          this.#size -= chunk.length;
          yield chunk;
        } else if (this.#error) throw this.#error;
        else if (this.#done) return;
        else {
          // Listens first: the flow may bring bytes while it is being resumed.
          const news = this.#news();
          this.#resume();
          await news;
        }
      }
    } finally {
      this.discard();
    }
  }

  /** Gives up what was not read. */
  discard(): void {
    this.#taken = true;
    this.#chunks = [];
    if (!this.#done) this.#flow.abort();
  }

  #take(): void {
    if (this.#taken) throw new TypeError('The body of an answer is read once.');
    this.#taken = true;
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#flow.resume();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
