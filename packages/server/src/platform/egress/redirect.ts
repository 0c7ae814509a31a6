import { egressErrors } from './errors.ts';
import type { Answer } from './exchange.ts';
import { isReplayable, type Outgoing, type RequestHeaders } from './outgoing.ts';
import type { EgressRequest } from './request.ts';
import { readUrl } from './url.ts';

/** Redirects: what they turn a request into, by the rules of the Fetch standard. */

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Headers that are meant for the origin they were written for, and for no other. */
const CREDENTIALS: readonly string[] = ['authorization', 'cookie', 'proxy-authorization'];

const OF_THE_BODY: readonly string[] = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-location',
];

/** Redirects that `follow` means. */
const MOST_REDIRECTS = 5;

/**
 * The next request, when the answer is a redirect that has to be followed; the redirect's own body is given up.
 * `redirects` is how many were followed before.
 *
 * @throws egress_bad_url, egress_too_many_redirects, egress_redirect_refused
 */
export function followed(
  request: EgressRequest,
  sent: Outgoing,
  { status, headers, incoming }: Answer,
  redirects: number,
): Outgoing | undefined {
  const { redirect = 'follow' } = request;
  const { location } = headers;
  if (redirect === 'manual' || !REDIRECTS.has(status) || location === undefined) return undefined;
  incoming.discard();
  const most = redirect === 'follow' ? MOST_REDIRECTS : redirect;
  if (redirects >= most)
    throw egressErrors.egress_too_many_redirects({ detail: `More than ${most} redirects in a row.` });
  return redirected(request, sent, status, String(location));
}

/** What a redirect turns a request into. */
export function redirected(
  { allowDowngrade = false, secretHeaders = [] }: Pick<EgressRequest, 'allowDowngrade' | 'secretHeaders'>,
  sent: Outgoing,
  status: number,
  location: string,
): Outgoing {
  const url = readUrl(location, sent.url);
  if (sent.url.protocol === 'https:' && url.protocol === 'http:' && !allowDowngrade)
    throw egressErrors.egress_redirect_refused({ detail: 'It leads from https to http.' });
  return toOrigin(url, withMethod(sent, status), secretHeaders);
}

function withMethod(from: Outgoing, status: number): Outgoing {
  const toGet =
    (status === 303 && from.method !== 'GET' && from.method !== 'HEAD') ||
    ((status === 301 || status === 302) && from.method === 'POST');
  if (toGet)
    return { url: from.url, method: 'GET', headers: without(from.headers, OF_THE_BODY), body: undefined };
  if (!isReplayable(from))
    throw egressErrors.egress_redirect_refused({ detail: 'The body was a stream and cannot be sent again.' });
  return from;
}

function toOrigin(url: URL, request: Outgoing, secretHeaders: readonly string[]): Outgoing {
  if (url.origin === request.url.origin) return { ...request, url };
  const secrets = [...CREDENTIALS, ...secretHeaders.map((name) => name.toLowerCase())];
  return { ...request, url, headers: without(request.headers, secrets) };
}

function without(headers: RequestHeaders, names: readonly string[]): RequestHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name.toLowerCase())));
}
