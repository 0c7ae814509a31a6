import { Readable } from 'node:stream';
import { egressErrors } from './errors.ts';

/** The body of an answer, decompressed. Read it once, or discard it: an unread body holds its connection. */
export interface EgressBody extends AsyncIterable<Uint8Array> {
  /**
   * The whole body.
   *
   * @param limit most bytes, when fewer than the request allows
   * @throws egress_response_too_large, egress_response_broken, egress_reset, egress_timeout, egress_aborted
   */
  bytes(limit?: number): Promise<Buffer>;
  /** The whole body as UTF-8. Bytes that are none become replacement characters. */
  text(limit?: number): Promise<string>;
  /** For consumers that want a stream of Node. */
  stream(): Readable;
  /** Gives up what was not read and frees the connection. */
  discard(): void;
}

/** Where a body's bytes come from: decoded or as they are. */
export interface BodySource extends AsyncIterable<Buffer> {
  /** A shortcut for reading all, when there is one. */
  bytes?(): Promise<Buffer>;
  discard(): void;
}

export function bodyOf(source: BodySource): EgressBody {
  const bytes = async (limit?: number): Promise<Buffer> =>
    limit === undefined && source.bytes ? source.bytes() : collected(source, limit ?? Infinity);
  return {
    bytes,
    text: async (limit) => utf8.decode(await bytes(limit)),
    stream: () => Readable.from(source, { objectMode: false }),
    discard: () => source.discard(),
    [Symbol.asyncIterator]: () => source[Symbol.asyncIterator](),
  };
}

const utf8 = new TextDecoder();

async function collected(source: AsyncIterable<Buffer>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limit)
      throw egressErrors.egress_response_too_large({ detail: `The body is larger than ${limit} bytes.` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
