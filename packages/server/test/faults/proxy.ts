import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import type { DatabaseTarget } from '../../src/platform/database/index.ts';
import { Messages, statementOf, type Message } from './wire.ts';

/** What a hub asks of the database up to the moment it wants an answer. */
export interface Exchange {
  /** The name of the prepared statement, else the text. */
  readonly statement: string;
  /** Whether the statement or one of its parameters contains this text. */
  mentions(text: string): boolean;
}

/**
 * `asked`: the database knows nothing of it. `sent`: nobody knows. `answered`: the database is through with it, its
 * commit included, and the hub has not heard.
 */
export type Phase = 'asked' | 'sent' | 'answered';

/** `cut` ends the connection in good order, `reset` rudely, `stall` leaves it open and silent for ever. */
export type Verdict = 'pass' | 'cut' | 'reset' | 'stall';

export type Intercept = (exchange: Exchange, phase: Phase) => Verdict | Promise<Verdict>;

/** A way to the database that can be disturbed. */
export interface DatabaseProxy {
  readonly target: DatabaseTarget;
  /** Decides about every exchange, three times. */
  intercept: Intercept;
  /** Lets nobody through, and cuts off whoever is, until it is opened again. */
  shut(): void;
  open(): void;
  close(): Promise<void>;
}

/** A write of the engine: accepts, outcomes, continuations. */
export function isJournalWrite({ statement }: Exchange): boolean {
  return statement === 'commit_calls';
}

/** Starts a proxy on a port of its own before a server that listens on a Unix socket. */
export async function startProxy(behind: DatabaseTarget): Promise<DatabaseProxy> {
  const connections = new Set<Connection>();
  let isOpen = true;
  const listener = createServer({ noDelay: true }, (client) => {
    if (!isOpen) {
      client.destroy();
      return;
    }
    const server = connect(join(behind.host ?? '', `.s.PGSQL.${behind.port}`));
    const connection = new Connection(client, server, (exchange, phase) => proxy.intercept(exchange, phase));
    connections.add(connection);
    client.once('close', () => connections.delete(connection));
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const cutAll = (): void => connections.forEach((connection) => connection.end('cut'));
  const proxy: DatabaseProxy = {
    target: { ...behind, host: '127.0.0.1', port },
    intercept: () => 'pass',
    shut() {
      isOpen = false;
      cutAll();
    },
    open() {
      isOpen = true;
    },
    async close() {
      listener.close();
      cutAll();
      if (listener.listening) await once(listener, 'close');
    },
  };
  return proxy;
}

/** One connection of a hub, and the one to the database behind it. */
class Connection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #intercept: Intercept;
  /** Everything happens in its order, however long a verdict takes. */
  #order: Promise<void> = Promise.resolve();
  #asking: Message[] = [];
  #underWay: Exchange | undefined;
  #answer: Buffer[] = [];
  #ended = false;
  #silent = false;

  constructor(client: Socket, server: Socket, intercept: Intercept) {
    this.#client = client;
    this.#server = server;
    this.#intercept = intercept;
    this.#read(client, new Messages('client'), (message) => this.#fromClient(message));
    this.#read(server, new Messages('server'), (message) => this.#fromServer(message));
  }

  end(how: Verdict): void {
    this.#ended = true;
    if (how === 'stall') {
      this.#silent = true;
      return;
    }
    if (how === 'reset') this.#client.resetAndDestroy();
    else this.#client.destroy();
    this.#server.destroy();
  }

  #read(socket: Socket, messages: Messages, take: (message: Message) => Promise<void> | void): void {
    socket.on('data', (chunk: Buffer) => {
      for (const message of messages.push(chunk))
        this.#order = this.#order.then(() => (this.#ended ? undefined : take(message)));
    });
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => {
      // What the server does with a connection that fell silent does not reach the client.
      if (!this.#silent || socket === this.#client) void this.#order.then(() => this.end('cut'));
    });
  }

  async #fromClient(message: Message): Promise<void> {
    if (!'QPBDECSH'.includes(message.type) || message.type === '') return this.#toServer([message]);
    this.#asking.push(message);
    if (message.type !== 'Q' && message.type !== 'S') return;
    const asked = this.#asking.splice(0);
    const exchange = exchangeOf(asked);
    this.#underWay = exchange;
    if (await this.#passes(exchange, 'asked')) {
      this.#toServer(asked);
      await this.#passes(exchange, 'sent');
    }
  }

  async #fromServer({ type, bytes }: Message): Promise<void> {
    if (!this.#underWay) return void this.#client.write(bytes);
    this.#answer.push(bytes);
    if (type !== 'Z') return;
    const exchange = this.#underWay;
    this.#underWay = undefined;
    const answer = Buffer.concat(this.#answer.splice(0));
    if (await this.#passes(exchange, 'answered')) this.#client.write(answer);
  }

  #toServer(messages: readonly Message[]): void {
    this.#server.write(Buffer.concat(messages.map(({ bytes }) => bytes)));
  }

  async #passes(exchange: Exchange, phase: Phase): Promise<boolean> {
    const verdict = await this.#intercept(exchange, phase);
    if (verdict !== 'pass') this.end(verdict);
    return !this.#ended;
  }
}

function exchangeOf(messages: readonly Message[]): Exchange {
  const named = messages.map(statementOf).filter((statement) => statement !== undefined);
  return {
    statement: named.at(-1) ?? '',
    mentions: (text) => messages.some(({ bytes }) => bytes.includes(text)),
  };
}
