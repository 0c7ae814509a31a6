import type { HttpRequest } from '../http.ts';

/** A request as it goes over the wire: its query in the address, its body as bytes or text. */
export interface PlainRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
}

/**
 * @throws TypeError when the address has no form, or there is more than one body
 */
export function plainRequest(request: HttpRequest): PlainRequest {
  const { method = 'GET', url, query, headers = {} } = request;
  const { type, body } = bodyOf(request);
  const named = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  return {
    method: method.toUpperCase(),
    url: query ? withQuery(url, query) : url,
    headers: type === undefined || named ? headers : { ...headers, 'content-type': type },
    body,
  };
}

function bodyOf({ json, form, body }: HttpRequest): { type?: string; body: string | Uint8Array | undefined } {
  if ([json, form, body].filter((each) => each !== undefined).length > 1)
    throw new TypeError('A request has one body: json, form or body.');
  if (json !== undefined) return { type: 'application/json', body: JSON.stringify(json) };
  if (form !== undefined)
    return { type: 'application/x-www-form-urlencoded', body: encoded(form).toString() };
  return { body };
}

/** Keeps the address as it is written but for its query, so that nothing of it is hidden from the hub's own check. */
function withQuery(url: string, query: NonNullable<HttpRequest['query']>): string {
  const added = encoded(query).toString();
  if (added === '') return url;
  const [address = '', fragment] = url.split('#', 2);
  const joint = address.includes('?') ? (/[?&]$/.test(address) ? '' : '&') : '?';
  return `${address}${joint}${added}${fragment === undefined ? '' : `#${fragment}`}`;
}

function encoded(values: NonNullable<HttpRequest['form']>): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    for (const each of [value].flat()) parameters.append(name, String(each));
  return parameters;
}
