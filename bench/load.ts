import { connect, type Socket } from 'node:net';
import { Connection, postText } from './http/client.ts';
import { inputOf } from './step.ts';

/** What to ask of a hub. Times are in seconds. */
export interface LoadPlan {
  /** Addresses of the nodes; connections are spread over them. */
  readonly addresses: readonly string[];
  readonly token: string;
  /** Port of the stub. */
  readonly stub: number;
  /** Steps of each run. */
  readonly steps: number;
  readonly connections: number;
  /** Runs that may be under way at once: sent, and their last step not yet served. */
  readonly outstanding: number;
  readonly warm: number;
  readonly seconds: number;
  /** Keys count up from here. */
  readonly firstKey: number;
  /** How long to wait for the end of what is under way. */
  readonly drain: number;
}

export interface LoadReport {
  readonly accepted: readonly number[];
  /** Ids of the calls, by the same index. */
  readonly ids: readonly string[];
  readonly refused: readonly number[];
  readonly unanswered: readonly number[];
  /** Number of answers by status; 0 counts requests without one. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Of what was sent in the measured time: milliseconds from sending to the 202. */
  readonly acceptMs: Float64Array;
  /** Of what was sent in the measured time: milliseconds from sending until the stub was asked for the last step. */
  readonly runMs: Float64Array;
  /** In the measured time. */
  readonly acceptedInTime: number;
  readonly ranInTime: number;
  readonly seconds: number;
}

/** Told when the measured time begins and ends. */
export type Phase = (phase: 'measuring' | 'measured') => void;

/** Milliseconds before a connection that failed or was refused is used again. */
const PAUSE = 20;

/** Asks for runs in a closed loop, measures, stops, and waits for what is under way. */
export async function runLoad(plan: LoadPlan, phase: Phase): Promise<LoadReport> {
  const load = new Load(plan);
  const feed = await listen(plan.stub, (key) => load.ran(key));
  try {
    load.start();
    await pause(plan.warm * 1000);
    load.measure();
    phase('measuring');
    await pause(plan.seconds * 1000);
    load.stop();
    phase('measured');
    await load.drained(plan.drain * 1000);
    return load.report();
  } finally {
    load.close();
    feed.destroy();
  }
}

class Load {
  readonly #plan: LoadPlan;
  readonly #connections: Connection[];
  readonly #host: string;
  readonly #stub: string;
  /** When each run was sent, by its key less the first. */
  readonly #sentAt: number[] = [];
  readonly #waiting = new Set<number>();
  readonly #accepted: number[] = [];
  readonly #ids: string[] = [];
  readonly #refused: number[] = [];
  readonly #unanswered: number[] = [];
  readonly #statuses: Record<number, number> = {};
  readonly #acceptMs: number[] = [];
  readonly #runMs: number[] = [];
  readonly #idle: Connection[];
  #inFlight = 0;
  #acceptedInTime = 0;
  #ranInTime = 0;
  #running = false;
  #from = Number.POSITIVE_INFINITY;
  #until = Number.POSITIVE_INFINITY;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    this.#host = new URL(plan.addresses[0]!).host;
    this.#stub = `http://127.0.0.1:${plan.stub}`;
    this.#connections = Array.from(
      { length: plan.connections },
      (_, index) => new Connection(plan.addresses[index % plan.addresses.length]!),
    );
    this.#idle = [...this.#connections];
  }

  start(): void {
    this.#running = true;
    this.#pump();
  }

  measure(): void {
    this.#from = performance.now();
  }

  stop(): void {
    this.#running = false;
    this.#until = performance.now();
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** The stub has served the last step of a run. */
  ran(key: number): void {
    const now = performance.now();
    const sent = this.#sentAt[key - this.#plan.firstKey];
    // Of another load, or served before: a step may be made again after its process was killed.
    if (sent === undefined || !this.#waiting.delete(key)) return;
    if (this.#inTime(now)) this.#ranInTime++;
    if (this.#inTime(sent)) this.#runMs.push(now - sent);
    this.#pump();
  }

  /** Resolves when nothing is under way, or after so many milliseconds. What is missing then, the log shows. */
  async drained(most: number): Promise<void> {
    const giveUp = performance.now() + most;
    while ((this.#inFlight > 0 || this.#waiting.size > 0) && performance.now() < giveUp) await pause(5);
  }

  report(): LoadReport {
    return {
      accepted: this.#accepted,
      ids: this.#ids,
      refused: this.#refused,
      unanswered: this.#unanswered,
      statuses: this.#statuses,
      acceptMs: Float64Array.from(this.#acceptMs),
      runMs: Float64Array.from(this.#runMs),
      acceptedInTime: this.#acceptedInTime,
      ranInTime: this.#ranInTime,
      seconds: (this.#until - this.#from) / 1000,
    };
  }

  #pump(): void {
    while (this.#running && this.#idle.length > 0 && this.#waiting.size < this.#plan.outstanding)
      this.#send(this.#idle.pop()!);
  }

  #send(connection: Connection): void {
    const { firstKey, steps, token } = this.#plan;
    const key = firstKey + this.#sentAt.length;
    const input = inputOf(this.#stub, { step: 1, last: steps, key });
    const body = `{"action":"http/request","input":${input}}`;
    const sent = performance.now();
    this.#sentAt.push(sent);
    this.#waiting.add(key);
    this.#inFlight++;
    connection.request(postText(this.#host, '/api/v1/calls', token, body), (status, answer) => {
      this.#inFlight--;
      this.#answered(key, sent, status, answer);
      if (status === 202) this.#idle.push(connection);
      else setTimeout(() => this.#reuse(connection), PAUSE);
      this.#pump();
    });
  }

  #reuse(connection: Connection): void {
    this.#idle.push(connection);
    this.#pump();
  }

  #answered(key: number, sent: number, status: number, answer: string): void {
    const now = performance.now();
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    if (status !== 202) {
      this.#waiting.delete(key);
      (isRefusal(status) ? this.#refused : this.#unanswered).push(key);
      return;
    }
    this.#accepted.push(key);
    this.#ids.push((JSON.parse(answer) as { id: string }).id);
    if (this.#inTime(now)) this.#acceptedInTime++;
    if (this.#inTime(sent)) this.#acceptMs.push(now - sent);
  }

  #inTime(at: number): boolean {
    return at >= this.#from && at < this.#until;
  }
}

/** 4xx says that nothing was accepted. A 5xx, or no answer at all, does not say it. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500;
}

/** Hears from the stub which runs have come to their last step. Resolves once it is heard. */
async function listen(port: number, heard: (key: number) => void): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let rest = '';
  socket.setEncoding('latin1');
  socket.on('error', reject);
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === 'listening') resolve();
      else heard(Number(line));
    }
  });
  socket.write('GET /feed HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
  await promise;
  return socket;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
