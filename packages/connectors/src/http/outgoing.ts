import type { ActionContext, HttpRequest } from '@linkspan/sdk';
import type { Input } from './schemas.ts';

/** The request an input asks for. */
export function outgoing(ctx: ActionContext<Input>): HttpRequest {
  const { method, url, query, timeout, secretHeaders = {}, followRedirects, maxResponseBytes } = ctx.input;
  return {
    url,
    headers: headersOf(ctx),
    secretHeaders: Object.keys(secretHeaders),
    redirect: followRedirects === false ? 'manual' : 'follow',
    maxBytes: maxResponseBytes ?? 65_536,
    ...(method && { method }),
    ...(query && { query }),
    ...(timeout && { timeout }),
    ...bodyOf(ctx.input),
  };
}

/** Names in lower case, so that no header is sent twice. What is more particular wins. */
function headersOf(ctx: ActionContext<Input>): Record<string, string> {
  const { headers = {}, secretHeaders = {}, idempotencyHeader, body = {} } = ctx.input;
  const { contentType } = body as { contentType?: string };
  const all = {
    ...('text' in body ? { 'content-type': 'text/plain; charset=utf-8' } : {}),
    ...('base64' in body ? { 'content-type': 'application/octet-stream' } : {}),
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    ...lowerCased(headers),
    ...lowerCased(secretHeaders),
    ...(idempotencyHeader === undefined ? {} : { [idempotencyHeader.toLowerCase()]: ctx.idempotencyKey }),
  };
  const authorization = authorizationOf(ctx);
  return authorization === undefined ? all : { ...all, authorization };
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function authorizationOf({ input, secret }: ActionContext<Input>): string | undefined {
  const { auth } = input;
  if (!auth) return undefined;
  if ('bearer' in auth) return `Bearer ${auth.bearer}`;
  const encoded = Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
  secret(encoded);
  return `Basic ${encoded}`;
}

function bodyOf({ body }: Input): Pick<HttpRequest, 'json' | 'form' | 'body'> {
  if (!body) return {};
  if ('json' in body) return { json: body.json };
  if ('form' in body) return { form: body.form };
  return { body: 'text' in body ? body.text : Buffer.from(body.base64, 'base64') };
}
