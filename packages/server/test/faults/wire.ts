/** One message of the PostgreSQL protocol, whole. The first one of a client has no type. */
export interface Message {
  readonly type: string;
  readonly bytes: Buffer;
}

/** Cuts the stream of one side of a connection into messages. */
export class Messages {
  #rest = Buffer.alloc(0);
  #typeless: boolean;

  constructor(side: 'client' | 'server') {
    this.#typeless = side === 'client';
  }

  push(chunk: Buffer): Message[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const found: Message[] = [];
    for (let next = this.#next(); next; next = this.#next()) found.push(next);
    return found;
  }

  #next(): Message | undefined {
    const head = this.#typeless ? 0 : 1;
    if (this.#rest.length < head + 4) return undefined;
    const end = head + this.#rest.readInt32BE(head);
    if (this.#rest.length < end) return undefined;
    const bytes = this.#rest.subarray(0, end);
    this.#rest = this.#rest.subarray(end);
    this.#typeless = false;
    return { type: head === 0 ? '' : String.fromCharCode(bytes[0]!), bytes };
  }
}

/** The statement a message of a client names: the name it is prepared under, else its text. */
export function statementOf({ type, bytes }: Message): string | undefined {
  if (type === 'Q') return textAt(bytes, 5);
  if (type === 'P') return textAt(bytes, 5) || textAt(bytes, 6);
  if (type === 'B') return textAt(bytes, 5 + textAt(bytes, 5).length + 1) || undefined;
  return undefined;
}

function textAt(bytes: Buffer, start: number): string {
  return bytes.toString('utf8', start, bytes.indexOf(0, start));
}
