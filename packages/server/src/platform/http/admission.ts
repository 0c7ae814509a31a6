import type { IncomingMessage } from 'node:http';
import type { HubError } from '../errors.ts';
import { httpErrors } from './errors.ts';
import { isRaw, permissionOf, type Access, type BodySpec, type Route, type Terms } from './route.ts';
import { isDirectFromLoopback } from './target.ts';

/** How callers are known; handed in by the domain that keeps tokens. */
export interface Gate<T extends Terms> {
  /** Who holds a token; undefined when nobody does. */
  authenticate(token: string): Promise<T['caller'] | undefined>;
  permits(caller: T['caller'], permission: T['permission']): boolean;
}

/** Lets a request in, before anything of its body is read. Gives its caller; undefined where none is asked for. */
export type Admission<T extends Terms> = (request: IncomingMessage) => Promise<T['caller'] | undefined>;

export function admissionFor<T extends Terms>(
  route: Route<T>,
  gate: Gate<T>,
  bodyLimit: number,
): Admission<T> {
  const { access } = route;
  const permission = permissionOf<T>(access);
  return async (request) => {
    const caller =
      permission === undefined || isExempt<T>(access, request) ? undefined : await known(request, gate);
    if (caller && permission !== undefined && !gate.permits(caller, permission))
      throw httpErrors.forbidden({ detail: `It takes the permission ${permission}.` });
    refuseForeignBody(request, route.body, bodyLimit);
    return caller;
  };
}

function isExempt<T extends Terms>(access: Access<T>, request: IncomingMessage): boolean {
  return typeof access === 'object' && 'openToLoopback' in access && isDirectFromLoopback(request);
}

const BEARER = /^Bearer +([\x21-\x7e]{1,1024})$/i;

async function known<T extends Terms>(request: IncomingMessage, gate: Gate<T>): Promise<T['caller']> {
  const header = request.headers.authorization;
  const token = header === undefined ? undefined : BEARER.exec(header)?.[1];
  const caller = token === undefined ? undefined : await gate.authenticate(token);
  if (caller) return caller;
  throw httpErrors.unauthenticated({
    detail: detailOf(header, token),
    headers: { 'www-authenticate': token === undefined ? 'Bearer' : 'Bearer error="invalid_token"' },
  });
}

function detailOf(header: string | undefined, token: string | undefined): string {
  if (header === undefined) return 'The header Authorization is missing.';
  return token === undefined
    ? 'The header Authorization is not of the form "Bearer <token>".'
    : 'Nobody holds this token.';
}

/** Refuses by its headers alone a body that would be refused after reading it. */
function refuseForeignBody(request: IncomingMessage, body: BodySpec | undefined, limit: number): void {
  const { headers } = request;
  const length = Number(headers['content-length'] ?? 0);
  if (length === 0 && headers['transfer-encoding'] === undefined) return;
  if (body === undefined || body === 'none')
    throw httpErrors.invalid_request({
      faults: [{ path: '', rule: 'body', message: 'this route takes no body' }],
    });
  if (headers['content-encoding'] !== undefined)
    throw httpErrors.unsupported_media_type({ detail: 'Send the body without Content-Encoding.' });
  refuseForeignType(headers['content-type'], body);
  if (length > limit) throw bodyTooLarge(limit);
}

const JSON_TYPE = /^application\/json(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*$/i;

function refuseForeignType(type: string | undefined, body: Exclude<BodySpec, 'none'>): void {
  const types = isRaw(body) ? body.types : ['application/json'];
  if (types === undefined) return;
  const essence = (type ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (isRaw(body) ? types.includes(essence) : JSON_TYPE.test(type ?? '')) return;
  throw httpErrors.unsupported_media_type({ detail: `Send it as ${types.join(' or ')}, in UTF-8.` });
}

/** The error of a body beyond `limit` bytes. */
export function bodyTooLarge(limit: number): HubError {
  return httpErrors.body_too_large({ detail: `At most ${limit} bytes.` });
}
