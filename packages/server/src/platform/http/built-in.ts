import type { Registry } from 'prom-client';
import { Type } from 'typebox';
import type { Clock } from '../clock.ts';
import type { ErrorMaker } from '../errors.ts';
import { docsPage } from './docs-page.ts';
import { errorsPage } from './errors-page.ts';
import { httpErrors } from './errors.ts';
import { openApiOf } from './openapi.ts';
import { pagePolicy } from './page.ts';
import { readinessOf, type ReadinessChecks } from './readiness.ts';
import { routeDefiner, type Route, type Terms } from './route.ts';
import type { Catalogues } from './route-faults.ts';

interface BuiltIn<T extends Terms> extends Catalogues<T> {
  readonly routes: readonly Route<T>[];
  readonly errors: readonly ErrorMaker[];
  readonly checks: ReadinessChecks;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly version: string;
  readonly publicUrl?: URL | undefined;
  readonly metricsPermission: T['permission'];
}

/** What is drawn from all routes, those that serve it included; empty until they are known and found right. */
export interface Documents {
  openApi: string;
  docs: string;
  errors: string;
}

const NO_ENTRY = { none: 'It only reads, and nothing of any tenant.' };

/** The routes every hub has, whatever else it serves. */
export function builtInRoutes<T extends Terms>(
  options: BuiltIn<T>,
  documents: Documents,
  state: { readonly draining: boolean },
): Route<T>[] {
  return [...healthRoutes<T>(options, state), metricsRoute<T>(options), ...documentRoutes<T>(documents)];
}

/** Draws the documents of all routes, and gives the OpenAPI document. */
export function drawDocuments<T extends Terms>(
  documents: Documents,
  routes: readonly Route<T>[],
  { version, publicUrl, permissions, errors }: BuiltIn<T>,
): Record<string, unknown> {
  const openApi = openApiOf(routes, { version, publicUrl, permissions });
  documents.openApi = JSON.stringify(openApi);
  documents.docs = docsPage(routes, permissions, version);
  documents.errors = errorsPage(everyError(routes, errors));
  return openApi;
}

function everyError<T extends Terms>(routes: readonly Route<T>[], more: readonly ErrorMaker[]): ErrorMaker[] {
  const makers = [...Object.values(httpErrors), ...routes.flatMap((route) => route.errors ?? []), ...more];
  return [...new Map(makers.map((maker) => [maker.kind.code, maker])).values()];
}

const Readiness = Type.Object(
  {
    ready: Type.Boolean(),
    checks: Type.Record(Type.String(), Type.String({ description: '`ok`, or the code of what is wrong' })),
  },
  { additionalProperties: false },
);

function healthRoutes<T extends Terms>(
  { checks, clock }: BuiltIn<T>,
  state: { readonly draining: boolean },
): Route<T>[] {
  const define = routeDefiner<Terms>();
  const findings = readinessOf(checks, clock);
  return [
    define({
      method: 'GET',
      path: '/healthz',
      summary: 'Whether the process runs',
      tags: ['Operation'],
      access: { public: 'Whatever watches the process holds no token.' },
      audit: NO_ENTRY,
      replies: {
        200: {
          description: 'It runs.',
          schema: Type.Object({ status: Type.Literal('ok') }, { additionalProperties: false }),
        },
      },
      handle: () => ({ status: 200, body: { status: 'ok' } }),
    }),
    define({
      method: 'GET',
      path: '/readyz',
      summary: 'Whether this node can serve',
      description: 'Names each check with `ok` or the code of what is wrong. Answers are up to a second old.',
      tags: ['Operation'],
      access: { public: 'A load balancer holds no token. Only names of checks and codes are told.' },
      audit: NO_ENTRY,
      replies: {
        200: { description: 'It can serve.', schema: Readiness },
        503: { description: 'It cannot serve, for now.', schema: Readiness },
      },
      async handle() {
        const found = { ...(await findings()), ...(state.draining ? { node: 'draining' } : {}) };
        const ready = Object.values(found).every((finding) => finding === 'ok');
        return { status: ready ? 200 : 503, body: { ready, checks: found } };
      },
    }),
  ] as unknown as Route<T>[];
}

function metricsRoute<T extends Terms>({ registry, metricsPermission }: BuiltIn<T>): Route<T> {
  return routeDefiner<Terms>()({
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics in the text format of Prometheus',
    tags: ['Operation'],
    access: {
      permission: metricsPermission,
      openToLoopback: 'A scraper on the same machine holds no token; requests through a proxy need one.',
    },
    audit: NO_ENTRY,
    replies: { 200: { description: 'All metrics of this node.', media: registry.contentType } },
    handle: async () => ({ status: 200, body: await registry.metrics() }),
  }) as unknown as Route<T>;
}

function documentRoutes<T extends Terms>(documents: Documents): Route<T>[] {
  const define = routeDefiner<Terms>();
  const common = {
    method: 'GET',
    tags: ['Documentation'],
    access: { public: 'It describes the program, which anyone can read, and holds nothing of this hub.' },
    audit: NO_ENTRY,
  } as const;
  const page = { 'content-security-policy': pagePolicy };
  return [
    define({
      ...common,
      path: '/openapi.json',
      summary: 'This API as an OpenAPI 3.1 document',
      replies: { 200: { description: 'The document.', media: 'application/json; charset=utf-8' } },
      handle: () => ({ status: 200, body: documents.openApi }),
    }),
    define({
      ...common,
      path: '/docs',
      summary: 'This API as a page to read',
      replies: { 200: { description: 'The page.', media: 'text/html; charset=utf-8' } },
      handle: () => ({ status: 200, body: documents.docs, headers: page }),
    }),
    define({
      ...common,
      path: '/docs/errors',
      summary: 'Every error code, and what to do about it',
      replies: { 200: { description: 'The page.', media: 'text/html; charset=utf-8' } },
      handle: () => ({ status: 200, body: documents.errors, headers: page }),
    }),
  ] as unknown as Route<T>[];
}
