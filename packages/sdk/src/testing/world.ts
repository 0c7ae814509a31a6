import { TransportError } from '../errors.ts';
import type { Http, HttpRequest, HttpResponse } from '../http.ts';
import { plainRequest, type PlainRequest } from '../hub/index.ts';

/** An answer of the fake outside world. Without `json` and `body` it has no body. */
export interface WorldAnswer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
}

/** Stands for everything a connector reaches by HTTP. Undefined: nothing is expected at that address. */
export type World = (request: PlainRequest) => WorldAnswer | undefined | Promise<WorldAnswer | undefined>;

/** Whatever is asked for cannot be reached. */
export const unreachable: World = () => {
  throw new TransportError('egress_connect_failed', {
    message: 'The other side cannot be reached',
    retry: 'unavailable',
    maySent: false,
  });
};

/** Whatever is asked for breaks off before it answers. */
export const breakingOff: World = () => {
  throw new TransportError('egress_reset', {
    message: 'The connection was lost',
    retry: 'transient',
    maySent: true,
  });
};

/** Worlds no connector wants, and every connector meets. */
export const HOSTILE: Readonly<Record<string, World>> = {
  'nothing can be reached': unreachable,
  'every connection breaks off': breakingOff,
  'everything answers 500': () => ({ status: 500, body: 'internal error' }),
  'everything answers 401': () => ({ status: 401, json: { error: 'unauthorized' } }),
  'everything answers with a page': () => ({ headers: { 'content-type': 'text/html' }, body: '<p>Hello' }),
  'everything answers {}': () => ({ json: {} }),
  'everything answers null': () => ({ json: null }),
  'everything answers without a body': () => ({ status: 204 }),
};

/** The world as connectors see it. `told` is called with each request as it goes out. */
export function httpOf(world: World, signal: AbortSignal, told: () => void): Http {
  return {
    async request(request: HttpRequest): Promise<HttpResponse> {
      const plain = plainRequest(request);
      told();
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      const abort = (): void => reject(abortedError());
      if (signal.aborted) throw abortedError();
      signal.addEventListener('abort', abort, { once: true });
      try {
        const answer = await Promise.race([world(plain), aborted]);
        if (!answer) throw new Unexpected(`${plain.method} ${plain.url}`);
        return responseOf(answer, plain.url);
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
  };
}

/** The connector asked for something the world of the test does not have. */
export class Unexpected extends Error {
  constructor(what: string) {
    super(`the world of the test does not expect ${what}`);
    this.name = 'Unexpected';
  }
}

export function abortedError(): TransportError {
  return new TransportError('egress_aborted', {
    message: 'The request was given up by the hub',
    retry: 'transient',
    maySent: true,
  });
}

function responseOf(answer: WorldAnswer, url: string): HttpResponse {
  const { status = 200, json, body = json === undefined ? '' : JSON.stringify(json) } = answer;
  const type: Record<string, string> = json === undefined ? {} : { 'content-type': 'application/json' };
  const headers = Object.entries({ ...type, ...answer.headers });
  const bytes = Buffer.from(body);
  return {
    status,
    ok: status >= 200 && status < 300,
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    url,
    bytes: async () => bytes,
    text: async () => bytes.toString(),
    json: async () => parsed(bytes.toString()),
    discard: () => undefined,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TransportError('response_not_json', {
      message: 'The answer is not JSON',
      retry: 'transient',
      maySent: true,
    });
  }
}
