import { Client } from 'pg';
import type { Clock } from '../clock.ts';
import { clientConfig, codeOf, wasUnreachable } from '../database/index.ts';
import { groupCommitErrors } from './errors.ts';
import type { GroupCommitOptions, Submission } from './statement.ts';

/** Bounds of a batch (engine rule 1). */
const MOST_OPERATIONS = 500;
const MOST_BYTES = 1024 * 1024;

/** Milliseconds between tries while the database is away: doubled each time, up to the last. */
const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 1_000;

/** Milliseconds after which a statement without an answer is taken for lost, and its connection with it. */
const ANSWER_WITHIN = 10_000;

/** An operation in the queue of a writer. */
interface Entry<Op, Result> {
  readonly op: Op;
  readonly key: string;
  readonly bytes: number;
  readonly settled: PromiseWithResolvers<Result>;
  /** How often it was sent; it may be committed since the first time. */
  sends: number;
  /** Taken back before it was sent. */
  withdrawn: boolean;
}

/**
 * One connection that writes batches.
 *
 * 1. At most one batch is under way; all that arrives meanwhile forms the next.
 * 2. A batch that was sent is sent again until the database has answered it: it may be committed already.
 * 3. One operation's fault is not another's: a batch is split on faults of its data (SQLSTATE 22, 23), never on faults
 *    of the moment: those of timing (40) are sent again, a database that is away (08, 53, 57) is waited for.
 */
export class Writer<Op, Result> {
  readonly #options: GroupCommitOptions<Op, Result>;
  readonly #clock: Clock;
  #queue: Entry<Op, Result>[] = [];
  #underWay = 0;
  #client: Client | undefined;
  #running: Promise<void> | undefined;
  #givenUp = false;

  constructor(options: GroupCommitOptions<Op, Result>) {
    this.#options = options;
    this.#clock = options.clock;
  }

  get pending(): number {
    return this.#queue.length + this.#underWay;
  }

  submit(op: Op): Submission<Result> {
    const { statement } = this.#options;
    const entry: Entry<Op, Result> = {
      op,
      key: statement.keyOf(op),
      bytes: statement.bytesOf(op),
      settled: Promise.withResolvers<Result>(),
      sends: 0,
      withdrawn: false,
    };
    this.#queue.push(entry);
    this.#running ??= this.#run();
    return {
      written: entry.settled.promise,
      withdraw: () => withdraw(entry),
      resent: () => entry.sends > 1,
    };
  }

  async close(grace: number): Promise<void> {
    const stop = this.#clock.after(grace, () => {
      this.#givenUp = true;
      this.#disconnect();
    });
    await this.#running;
    stop();
    this.#givenUp = true;
    this.#disconnect();
  }

  async #run(): Promise<void> {
    // What else this turn of the loop queues shall share the first batch.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#take();
      this.#underWay = batch.length;
      if (batch.length > 0) await this.#write(batch);
      this.#underWay = 0;
    }
    this.#running = undefined;
  }

  /** The next operations, in their order, no two of one key. */
  #take(): Entry<Op, Result>[] {
    const taken: Entry<Op, Result>[] = [];
    const left: Entry<Op, Result>[] = [];
    const keys = new Set<string>();
    let bytes = 0;
    for (const entry of this.#queue) {
      if (entry.withdrawn) continue;
      const fits =
        taken.length < MOST_OPERATIONS && (taken.length === 0 || bytes + entry.bytes <= MOST_BYTES);
      if (!fits || keys.has(entry.key)) {
        left.push(entry);
      } else {
        bytes += entry.bytes;
        taken.push(entry);
      }
      keys.add(entry.key);
    }
    this.#queue = left;
    return taken;
  }

  async #write(batch: readonly Entry<Op, Result>[]): Promise<void> {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      if (this.#givenUp) return reject(batch, groupCommitErrors.write_not_confirmed());
      try {
        return settle(batch, await this.#send(batch));
      } catch (error) {
        if (!isFaultOfTheMoment(error)) return this.#split(batch, error);
        this.#options.log.warn('a batch is sent again', { err: error, count: batch.length });
        if (!isContention(error)) this.#disconnect();
        await this.#clock.sleep(pause);
      }
    }
  }

  async #send(batch: readonly Entry<Op, Result>[]): Promise<Result[]> {
    const { statement, observe } = this.#options;
    const client = (this.#client ??= await this.#connect());
    const ops = batch.map((entry) => entry.op);
    const started = performance.now();
    for (const entry of batch) entry.sends++;
    const { rows } = await client.query({
      name: statement.name,
      text: statement.text,
      values: statement.values(ops),
    });
    observe?.({ operations: batch.length, seconds: (performance.now() - started) / 1000 });
    return statement.results(ops, rows as Record<string, unknown>[]);
  }

  async #split(batch: readonly Entry<Op, Result>[], fault: unknown): Promise<void> {
    if (batch.length === 1) return reject(batch, fault);
    const half = batch.length >> 1;
    await this.#write(batch.slice(0, half));
    await this.#write(batch.slice(half));
  }

  async #connect(): Promise<Client> {
    const client = new Client({
      ...clientConfig(this.#options.target, 'linkspan_hub'),
      query_timeout: ANSWER_WITHIN,
    });
    client.on('error', () => {}); // the statement under way rejects as well
    await client.connect().catch((cause: unknown) => {
      throw new NotConnected('No connection to write with', { cause });
    });
    return client;
  }

  /** Lets go of the connection. A broken one may take its time to end, and nobody waits for that. */
  #disconnect(): void {
    this.#client?.end().catch(() => {});
    this.#client = undefined;
  }
}

/** Whatever the reason, no operation is at fault when there was nobody to send it to. */
class NotConnected extends Error {}

/** Serialisation, deadlock, a lock or a statement that took too long: the connection is good, the moment was not. */
function isContention(error: unknown): boolean {
  return /^(?:40|55P03$|57014$)/.test(codeOf(error) ?? '');
}

/** Whether the same batch may pass later. A server that takes no writes (25006) is about to be replaced. */
function isFaultOfTheMoment(error: unknown): boolean {
  if (error instanceof NotConnected || isContention(error)) return true;
  return wasUnreachable(error) || codeOf(error) === '25006';
}

function withdraw<Op, Result>(entry: Entry<Op, Result>): boolean {
  if (entry.sends > 0) return false;
  entry.withdrawn = true;
  entry.settled.reject(groupCommitErrors.writes_backed_up({ retryAfter: 1 }));
  return true;
}

function settle<Op, Result>(batch: readonly Entry<Op, Result>[], results: readonly Result[]): void {
  batch.forEach((entry, index) => entry.settled.resolve(results[index]!));
}

function reject<Op, Result>(batch: readonly Entry<Op, Result>[], error: unknown): void {
  for (const entry of batch) entry.settled.reject(error);
}
