import type { ErrorKind } from '../errors.ts';
import { httpErrors } from './errors.ts';
import { PROBLEM_MEDIA } from './problem.ts';
import { isRaw, permissionOf, reasonOf, type ReplySpec, type Route, type Terms } from './route.ts';
import { propertiesOf } from './parameters.ts';

type Json = Record<string, unknown>;

/** Draws the OpenAPI 3.1 document of these routes. Schemas are the very ones requests are checked with. */
export function openApiOf<T extends Terms>(
  routes: readonly Route<T>[],
  about: { version: string; publicUrl?: URL | undefined; permissions: Readonly<Record<string, string>> },
): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:([A-Za-z]\w*)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  const document = {
    openapi: '3.1.0',
    info: {
      title: 'Linkspan',
      version: about.version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: about.publicUrl?.origin ?? '/' }],
    tags: [...new Set(routes.flatMap((route) => route.tags ?? []))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'A token of the hub.' } },
    },
    'x-permissions': about.permissions,
  };
  // Through text, so that nothing but plain JSON is left of the schemas.
  return JSON.parse(JSON.stringify(document)) as Json;
}

function operation<T extends Terms>(route: Route<T>): Json {
  const { access, audit } = route;
  const permission = permissionOf<T>(access);
  const reason = reasonOf<T>(access);
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(route.description ? { description: route.description } : {}),
    ...(route.tags ? { tags: route.tags } : {}),
    security: [...(permission === undefined ? [] : [{ token: [] }]), ...(reason === undefined ? [] : [{}])],
    ...(permission === undefined ? {} : { 'x-permission': permission }),
    ...(reason === undefined ? {} : { 'x-open-because': reason }),
    ...(typeof audit === 'string' ? { 'x-audit': audit } : { 'x-no-audit-because': audit.none }),
    parameters: [...parameters('path', route.params), ...parameters('query', route.query)],
    ...(route.body && route.body !== 'none' ? { requestBody: requestBody(route.body) } : {}),
    responses: { ...errorResponses(errorKindsOf(route)), ...mapReplies(route.replies) },
  };
}

/** `GET /api/v1/tokens/:id` is `getTokensById`. */
function operationId<T extends Terms>({ method, path }: Route<T>): string {
  const words = path
    .replace('/api/v1', '')
    .split(/[^A-Za-z0-9:]+/)
    .filter(Boolean);
  const named = words.map((word) => (word.startsWith(':') ? `By${capital(word.slice(1))}` : capital(word)));
  return method.toLowerCase() + named.join('');
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function parameters(where: 'path' | 'query', schema: Route<Terms>['params']): Json[] {
  const { required = [] }: { required?: readonly string[] } = schema ?? {};
  return Object.entries(propertiesOf(schema)).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }));
}

function requestBody(body: Exclude<Route<Terms>['body'], undefined | 'none'>): Json {
  const content = isRaw(body)
    ? Object.fromEntries((body.types ?? ['*/*']).map((type) => [type, {}]))
    : { 'application/json': { schema: body } };
  return { required: true, content };
}

function mapReplies(replies: Readonly<Record<number, ReplySpec>>): Json {
  return Object.fromEntries(
    Object.entries(replies).map(([status, reply]) => [
      status,
      { description: reply.description, ...('empty' in reply ? {} : { content: contentOf(reply) }) },
    ]),
  );
}

function contentOf(reply: Exclude<ReplySpec, { empty: true }>): Json {
  return 'schema' in reply
    ? { 'application/json': { schema: reply.schema } }
    : { [reply.media.split(';')[0] ?? '']: { schema: { type: 'string' } } };
}

/** The errors a route may answer with: its own, and those its access and its input bring along. */
export function errorKindsOf<T extends Terms>(route: Route<T>): ErrorKind[] {
  const asksWho = permissionOf<T>(route.access) !== undefined;
  const takesBody = route.body !== undefined && route.body !== 'none';
  const makers = [
    httpErrors.invalid_request,
    ...(asksWho ? [httpErrors.unauthenticated, httpErrors.forbidden] : []),
    ...(takesBody
      ? [httpErrors.request_timeout, httpErrors.body_too_large, httpErrors.unsupported_media_type]
      : []),
    ...(route.errors ?? []),
    httpErrors.internal,
    httpErrors.draining,
  ];
  return [...new Map(makers.map(({ kind }) => [kind.code, kind])).values()].sort(
    (a, b) => a.status - b.status,
  );
}

function errorResponses(kinds: readonly ErrorKind[]): Json {
  const byStatus = Object.groupBy(kinds, (kind) => kind.status);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, same = []]) => [
      status,
      {
        description: same.map((kind) => `\`${kind.code}\`: ${kind.title}.`).join(' '),
        content: { [PROBLEM_MEDIA]: { schema: problemWith(same) } },
      },
    ]),
  );
}

function problemWith(kinds: readonly ErrorKind[]): Json {
  return {
    allOf: [{ $ref: '#/components/schemas/Problem' }],
    properties: { code: { enum: kinds.map((kind) => kind.code) } },
  };
}

const PROBLEM = {
  type: 'object',
  description: 'What went wrong (RFC 9457). `code` is stable; everything else is for people.',
  required: ['type', 'title', 'status', 'code', 'help', 'retryable'],
  properties: {
    type: { type: 'string', format: 'uri-reference', description: 'Where the code is explained.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string' },
    detail: { type: 'string' },
    help: { type: 'string', description: 'What to do about it.' },
    retryable: { type: 'boolean', description: 'Whether the same request may succeed later.' },
    faults: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'rule', 'message'],
        properties: {
          path: {
            type: 'string',
            description: 'JSON pointer into the body, or `query/…` or `path/…`; empty for the whole body.',
          },
          rule: {
            type: 'string',
            description: 'The rule that is broken; a JSON Schema keyword where it is one.',
          },
          message: { type: 'string' },
        },
      },
    },
    requestId: { type: 'string', description: 'Also in the header X-Request-Id, and in the log.' },
  },
};
