import { Socket } from 'node:net';
import { Client } from 'pg';
import { clientConfig, type DatabaseTarget } from '../database/index.ts';

const CHANNEL = 'linkspan_signal';

/**
 * One connection on which a node both hears and sends signals, from its opening to its end. It never comes back;
 * the next one is a new line.
 */
export class Line {
  /** Ours, so that a connection that died without a word can be cut: `pg` would wait for the other side. */
  readonly #socket = new Socket();
  readonly #client: Client;
  readonly #over = new AbortController();

  constructor(target: DatabaseTarget, hear: (payload: string) => void) {
    this.#client = new Client({
      ...clientConfig(target, 'linkspan_hub'),
      application_name: CHANNEL,
      stream: () => this.#socket,
    });
    this.#client.on('notification', ({ payload }) => hear(payload ?? ''));
    this.#client.on('error', () => {}); // 'end' follows
    this.#client.on('end', () => this.#over.abort());
  }

  /** Aborts when the connection has ended, for whatever reason. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Connects and listens. A signal is a hint and not worth an fsync. */
  async open(): Promise<void> {
    await this.#client.connect();
    await this.#client.query(`set synchronous_commit = off; listen ${CHANNEL}`);
  }

  /** Sends all payloads in one statement. */
  async notify(payloads: readonly string[]): Promise<void> {
    await this.#client.query(`select pg_notify('${CHANNEL}', payload) from unnest($1::text[]) as payload`, [
      payloads,
    ]);
  }

  /** Ends the connection without waiting for the other side. What waits for an answer on it fails. */
  cut(): void {
    this.#socket.destroy();
  }
}
