import { Readable } from 'node:stream';
import type { HubError } from '../errors.ts';
import { ACCEPTED } from './decode.ts';
import { egressErrors, notSent } from './errors.ts';
import { readUrl } from './url.ts';

/** Names as the caller writes them; a list is sent as one line per value. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[]>>;

export type RequestBody = string | Uint8Array | AsyncIterable<Uint8Array | string>;

/** What is sent in one exchange: checked, and changed by redirects. */
export interface Outgoing {
  readonly url: URL;
  readonly method: string;
  readonly headers: RequestHeaders;
  readonly body: RequestBody | undefined;
}

/** Headers of the connection itself. A caller who sets them could speak to another host, or smuggle a second request. */
const RESERVED: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'http2-settings',
]);

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}$/;

/**
 * Checks what a caller wants to send.
 *
 * @throws egress_bad_url, egress_bad_request
 */
export function outgoing(
  request: {
    readonly method?: string | undefined;
    readonly url: string;
    readonly headers?: RequestHeaders | undefined;
    readonly body?: RequestBody | undefined;
  },
  defaults: { readonly userAgent: string; readonly decompress: boolean },
): Outgoing {
  const method = (request.method ?? 'GET').toUpperCase();
  if (!METHOD.test(method) || method === 'CONNECT' || method === 'TRACE')
    throw bad('The method cannot be used.');
  const { body } = request;
  if (body !== undefined && (method === 'GET' || method === 'HEAD')) throw bad(`${method} has no body.`);
  return { url: readUrl(request.url), method, headers: completed(request.headers, defaults), body };
}

function completed(
  headers: RequestHeaders = {},
  defaults: { readonly userAgent: string; readonly decompress: boolean },
): RequestHeaders {
  const complete: Record<string, string | readonly string[]> = {};
  let userAgent = false;
  let acceptEncoding = false;
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase();
    if (RESERVED.has(lower)) throw bad(`The header ${lower} is set by the hub.`);
    userAgent ||= lower === 'user-agent';
    acceptEncoding ||= lower === 'accept-encoding';
    complete[name] = headers[name]!;
  }
  if (!userAgent) complete['user-agent'] = defaults.userAgent;
  if (!acceptEncoding && defaults.decompress) complete['accept-encoding'] = ACCEPTED;
  return complete;
}

/** The body for one exchange. An error of the caller's own stream is told apart from one of the connection. */
export function bodyToSend(body: RequestBody | undefined): string | Uint8Array | Readable | null {
  if (body === undefined) return null;
  return typeof body === 'string' || body instanceof Uint8Array
    ? body
    : Readable.from(named(body), { objectMode: false });
}

async function* named(body: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array | string> {
  try {
    yield* body;
  } catch (cause) {
    throw egressErrors.egress_bad_request({ detail: 'The body of the request could not be read.', cause });
  }
}

/** Whether the body can be sent a second time. */
export function isReplayable({ body }: Outgoing): boolean {
  return body === undefined || typeof body === 'string' || body instanceof Uint8Array;
}

function bad(detail: string): HubError {
  return notSent(egressErrors.egress_bad_request({ detail }));
}
