import { pipeline, Readable, type Transform } from 'node:stream';
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { HubError } from '../errors.ts';
import { egressErrors } from './errors.ts';
import type { Incoming } from './incoming.ts';

/** Content codings. What an answer grows to is bounded while it grows, so a small bomb stays small. */

/** What requests say they understand. */
export const ACCEPTED = 'gzip, deflate, br, zstd';

/** Codings laid over each other that are still undone. */
const MOST_LAYERS = 2;

type Decoder = (first: Buffer) => Transform;

const DECODERS: Readonly<Record<string, Decoder | undefined>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
  // Some servers leave out the wrapping the standard asks for; its first byte tells.
  deflate: (first) => ((first[0] ?? 0) % 16 === 8 ? createInflate() : createInflateRaw()),
};

/**
 * The codings of an answer in the order they are undone, or undefined when there is nothing that can be undone.
 *
 * @throws egress_response_broken when there are too many
 */
export function codingsOf(header: string | string[] | undefined): readonly string[] | undefined {
  if (header === undefined) return undefined;
  const names = String(header)
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  if (names.length > MOST_LAYERS)
    throw egressErrors.egress_response_broken({ detail: 'The answer is compressed too many times over.' });
  return names.length > 0 && names.every((name) => Object.hasOwn(DECODERS, name))
    ? names.toReversed()
    : undefined;
}

/**
 * The bytes behind the codings, at most `limit` of them.
 *
 * @throws egress_response_too_large, egress_response_broken, and what reading throws
 */
export async function* decoded(
  incoming: Incoming,
  codings: readonly string[],
  limit: number,
): AsyncGenerator<Buffer, void, undefined> {
  const source = incoming[Symbol.asyncIterator]();
  try {
    const first = await source.next();
    if (first.done) return;
    let size = 0;
    for await (const chunk of undone(first.value, source, codings)) {
      size += chunk.length;
      if (size > limit)
        throw egressErrors.egress_response_too_large({
          detail: `The body unpacks to more than ${limit} bytes.`,
        });
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof HubError) throw cause;
    throw egressErrors.egress_response_broken({
      detail: `The body is no valid ${codings.join(', ')}.`,
      cause,
    });
  } finally {
    await source.return();
  }
}

function undone(
  first: Buffer,
  rest: AsyncIterable<Buffer>,
  codings: readonly string[],
): AsyncIterable<Buffer> {
  async function* all(): AsyncGenerator<Buffer> {
    yield first;
    yield* rest;
  }
  const layers = codings.map((name, index) => DECODERS[name]!(index === 0 ? first : WRAPPED));
  // The error of any layer comes out of the last one, which is read.
  return pipeline([Readable.from(all(), { objectMode: false }), ...layers], () => undefined) as Transform;
}

/** Of an inner layer the first bytes are not known yet; it is taken to follow the standard. */
const WRAPPED = Buffer.from([0x78]);
