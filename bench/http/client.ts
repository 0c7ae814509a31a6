import { connect, type Socket } from 'node:net';

/** What became of a request. Status 0: no answer came, and nobody knows whether it arrived. */
export type Answered = (status: number, body: string) => void;

/**
 * One keep-alive connection that carries one request at a time, for load that costs little of the machine under
 * test: no parser, no streams, no objects per header. It reads answers with a Content-Length alone.
 */
export class Connection {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #received = '';
  #answered: Answered | undefined;

  /** @param address `http://127.0.0.1:7004` */
  constructor(address: string) {
    const url = new URL(address);
    this.#host = url.hostname;
    this.#port = Number(url.port);
  }

  get busy(): boolean {
    return this.#answered !== undefined;
  }

  /** Sends a whole request, head and body. `answered` is told once. */
  request(text: string, answered: Answered): void {
    if (this.#answered) throw new Error('This connection waits for an answer.');
    this.#answered = answered;
    this.#socket ??= this.#connect();
    this.#socket.write(text, 'latin1');
  }

  close(): void {
    this.#socket?.destroy();
  }

  #connect(): Socket {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => {
      this.#socket = undefined;
      this.#finish(0, '');
    });
    return socket;
  }

  #receive(text: string): void {
    this.#received += text;
    const head = this.#received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const end = head + 4 + lengthOf(this.#received.slice(0, head + 2));
    if (this.#received.length < end) return;
    this.#finish(Number(this.#received.slice(9, 12)), this.#received.slice(head + 4, end));
  }

  #finish(status: number, body: string): void {
    const answered = this.#answered;
    this.#answered = undefined;
    this.#received = '';
    answered?.(status, body);
  }
}

function lengthOf(head: string): number {
  const found = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (!found) throw new Error(`An answer without a length cannot be read here:\n${head}`);
  return Number(found[1]);
}

/** The text of a request with a JSON body of ASCII characters. */
export function postText(host: string, path: string, token: string, json: string): string {
  return `POST ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n${json}`;
}
