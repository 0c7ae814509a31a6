import { newId } from '../ids.ts';
import { Batch, type News } from './batch.ts';
import { Line } from './line.ts';
import { decode, encode, heartbeat } from './payload.ts';
import type { Listener, Signal, SignalOptions, SignalTiming } from './signal.ts';

const TIMING: SignalTiming = {
  window: 5,
  heartbeat: 15_000,
  patience: 5_000,
  poll: 60_000,
  leastPause: 100,
  mostPause: 10_000,
};

/** Characters of the longest key; even if every one had to be escaped, it fits into one notification. */
const LONGEST_KEY = 512;

/** Starts the signals of this node. It connects by itself, again and again; `missed` tells when it has. */
export function createSignal(options: SignalOptions): Signal {
  return new NodeSignal(options);
}

class NodeSignal implements Signal {
  readonly #options: SignalOptions;
  readonly #timing: SignalTiming;
  readonly #node = newId();
  readonly #listeners = new Map<string, Set<Listener>>();
  /** What listeners of this node have yet to hear. */
  #near = new Batch();
  /** What other nodes have yet to hear. */
  #far = new Batch();
  #flushing: Promise<void> | undefined;
  /** The newest connection, and whether signals arrive on it. */
  #line: Line | undefined;
  #live = false;
  /** Told whenever this node hears what it sent itself. */
  #echoed: () => void = () => {};
  readonly #closing = new AbortController();
  readonly #work: Promise<unknown>;

  constructor(options: SignalOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#work = Promise.all([this.#stayConnected(), this.#poll()]);
  }

  get live(): boolean {
    return this.#live;
  }

  send(topic: string, key?: string): void {
    if (key !== undefined && key.length > LONGEST_KEY) throw new RangeError('a key is an id');
    if (this.#closing.signal.aborted) return;
    if (this.#near.isEmpty) queueMicrotask(() => this.#deliver());
    this.#near.add(topic, key);
    this.#far.add(topic, key);
    this.#flushing ??= this.#flush();
  }

  on(topic: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const giveUp = this.#options.clock.after(this.#timing.patience, () => this.#line?.cut());
    await this.#flushing;
    giveUp();
    this.#line?.cut();
    await this.#work;
  }

  #deliver(): void {
    const batch = this.#near;
    this.#near = new Batch();
    for (const [topic, news] of batch.topics) this.#tell(topic, news);
  }

  /**
   * Sends what waits, one statement at a time: what is sent meanwhile goes with the next. Without a connection
   * it stays where it is; the next connection begins by taking it.
   */
  async #flush(): Promise<void> {
    do {
      await this.#options.clock.sleep(this.#timing.window, this.#closing.signal);
      if (this.#line && this.#live) await this.#sendAll(this.#line);
    } while (this.#live && !this.#far.isEmpty);
    this.#flushing = undefined;
  }

  /** Whether a failed statement was heard nobody knows; hearing twice does no harm. */
  async #sendAll(line: Line): Promise<void> {
    const batch = this.#far;
    this.#far = new Batch();
    try {
      await line.notify(encode(this.#node, batch.topics));
    } catch (err) {
      this.#options.log.warn('signals could not be sent yet', { err });
      this.#far.addAll(batch);
      this.#live = false;
      line.cut();
    }
  }

  async #stayConnected(): Promise<void> {
    const { target, log, clock } = this.#options;
    for (let failures = 0; !this.#closing.signal.aborted; failures++) {
      const line = (this.#line = new Line(target, (payload) => this.#hear(payload)));
      try {
        await line.open();
        failures = 0;
        await this.#serve(line);
      } catch (err) {
        log.warn('signals of other nodes cannot be received', { err, attempt: failures + 1 });
      }
      line.cut();
      await clock.sleep(this.#pause(failures), this.#closing.signal);
    }
  }

  /** Uses a line until it is over. Between two lines anything may have been missed, also by who asks meanwhile. */
  async #serve(line: Line): Promise<void> {
    this.#live = true;
    this.#missAll();
    this.#flushing ??= this.#flush();
    await this.#watch(line);
    this.#live = false;
    this.#missAll();
  }

  /** A connection can die without a word, and a pooler can swallow signals: only their echo proves the way. */
  async #watch(line: Line): Promise<void> {
    const { clock, log } = this.#options;
    for (;;) {
      await clock.sleep(this.#timing.heartbeat, line.over);
      if (line.over.aborted) break;
      const echo = new AbortController();
      this.#echoed = () => echo.abort();
      line.notify([heartbeat(this.#node)]).catch(() => line.cut());
      await clock.sleep(this.#timing.patience, AbortSignal.any([line.over, echo.signal]));
      if (!echo.signal.aborted) line.cut();
    }
    if (!this.#closing.signal.aborted) log.warn('the connection for signals between nodes was lost');
  }

  /** The backstop against what nobody noticed, such as a node that died before it could send. */
  async #poll(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#options.clock.sleep(this.#timing.poll, this.#closing.signal);
      this.#missAll();
    }
  }

  #pause(failures: number): number {
    const { leastPause, mostPause } = this.#timing;
    return Math.min(mostPause, leastPause * 2 ** failures) * (0.5 + Math.random() / 2);
  }

  #hear(payload: string): void {
    const message = decode(payload);
    if (!message)
      this.#options.log.warn('an unreadable signal was ignored', { bytes: Buffer.byteLength(payload) });
    else if (message.from === this.#node) this.#echoed();
    else if (message.about) this.#tell(message.about.topic, message.about.news);
  }

  #missAll(): void {
    for (const topic of this.#listeners.keys()) this.#tell(topic, 'missed');
  }

  #tell(topic: string, news: News): void {
    if (this.#closing.signal.aborted) return;
    for (const listener of this.#listeners.get(topic) ?? []) {
      try {
        if (news === 'missed') listener.missed();
        else listener.heard([...news]);
      } catch (err) {
        this.#options.log.error('a listener of signals failed', { topic, err });
      }
    }
  }
}
