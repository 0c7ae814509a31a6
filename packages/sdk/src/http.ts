import type { RetryClass } from './errors.ts';

/** Calls of http and https addresses, through the hub: it checks every address, and follows redirects by its rules. */
export interface Http {
  /**
   * Resolves with the head of the answer, whatever its status. Read its body, or discard it.
   *
   * @throws TransportError
   */
  request(request: HttpRequest): Promise<HttpResponse>;
}

type Text = string | number | boolean;

/** At most one of `json`, `form` and `body`. */
export interface HttpRequest {
  /** Default `GET`. */
  readonly method?: string;
  readonly url: string;
  /** Added to the query of the address. A list is one parameter for each value. */
  readonly query?: Readonly<Record<string, Text | readonly Text[]>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as `application/json`. */
  readonly json?: unknown;
  /** Sent as `application/x-www-form-urlencoded`. */
  readonly form?: Readonly<Record<string, Text | readonly Text[]>>;
  /** Sent as it is. */
  readonly body?: string | Uint8Array;
  /** Milliseconds for everything together. */
  readonly timeout?: number;
  /** Most bytes of the answer's body, after decompression. */
  readonly maxBytes?: number;
  /** `follow` (default), or `manual`: the redirect is the answer. */
  readonly redirect?: 'follow' | 'manual';
  /** Names of headers that hold a secret and are not shown to another origin, beside Authorization and Cookie. */
  readonly secretHeaders?: readonly string[];
}

export interface HttpResponse {
  readonly status: number;
  /** Whether the status is 200 to 299. */
  readonly ok: boolean;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Where the answer came from in the end. */
  readonly url: string;
  /** @throws TransportError */
  bytes(): Promise<Uint8Array>;
  /** The body as UTF-8. @throws TransportError */
  text(): Promise<string>;
  /** The body read as JSON, whatever its type says. @throws TransportError `response_not_json` */
  json(): Promise<unknown>;
  /** Gives up the body. */
  discard(): void;
}

/** The retry class an HTTP status stands for. 408, 429 and 5xx may pass; everything else does not. */
export function retryClassOf(status: number): RetryClass {
  if (status === 408 || status === 504) return 'timeout';
  if (status === 429) return 'rate_limited';
  if (status === 502 || status === 503) return 'unavailable';
  return status >= 500 && status !== 501 && status !== 505 ? 'transient' : 'permanent';
}

/**
 * Milliseconds from `now` (the same since the epoch) until an answer's `Retry-After`, which is a number of seconds or a
 * date; undefined when there is none that can be read.
 */
export function retryAfterOf(
  { headers }: Pick<HttpResponse, 'headers'>,
  now: number = Date.now(),
): number | undefined {
  const text = String(headers['retry-after'] ?? '').trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
