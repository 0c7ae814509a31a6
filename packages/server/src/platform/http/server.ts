import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import type { ErrorMaker } from '../errors.ts';
import { newId } from '../ids.ts';
import type { Log } from '../log.ts';
import type { Gate } from './admission.ts';
import { builtInRoutes, drawDocuments } from './built-in.ts';
import { errorAnswerer, type AnswerError } from './error-answer.ts';
import { httpErrors } from './errors.ts';
import type { ActorMaker } from './exchange.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { answerMalformed } from './malformed.ts';
import { requestMeasure, type Measure } from './measure.ts';
import { methodTable } from './methods.ts';
import { mountRoute } from './mount.ts';
import type { ReadinessChecks } from './readiness.ts';
import type { Route, Terms } from './route.ts';
import { faultsOf, type Catalogues } from './route-faults.ts';
import { hostCheck, pathOf, refuseTrickyTarget } from './target.ts';

export interface HttpOptions<T extends Terms> extends Catalogues<T>, Gate<T> {
  readonly routes: readonly Route<T>[];
  /** Every error a caller may meet, for the pages that explain them. */
  readonly errors: readonly ErrorMaker[];
  readonly actorOf: ActorMaker<T>;
  /** Permission that reads the metrics from another machine. */
  readonly metricsPermission: T['permission'];
  readonly checks: ReadinessChecks;
  readonly registry: Registry;
  readonly log: Log;
  readonly clock: Clock;
  readonly version: string;
  readonly publicUrl?: URL | undefined;
  /** Host names beside localhost, IP addresses and the public address. */
  readonly allowedHosts?: readonly string[];
  readonly limits?: Partial<Limits>;
  /** For tests: a reply that differs from its schema, or a missing audit entry, is an error instead of a log line. */
  readonly checked?: boolean;
}

export interface Http {
  /** Listens; port 0 takes any free one. Gives the address: `http://127.0.0.1:7004`. */
  listen(at: { host: string; port: number }): Promise<string>;
  /**
   * Drains: takes no new connection and no new request, lets running ones finish for `graceMs` milliseconds, then
   * ends what is left. Resolves when no connection is open.
   */
  close(graceMs: number): Promise<void>;
  /** Everything that is served, the hub's own routes included. */
  readonly openApi: Readonly<Record<string, unknown>>;
}

/** Names every route that cannot be served as it is, with the reason. */
export class RouteError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`These routes cannot be served:\n${faults.join('\n')}`);
    this.name = 'RouteError';
    this.faults = faults;
  }
}

/**
 * The HTTP server of a hub. Denies by default: nothing is served whose access, audit entry and schemas are not
 * declared.
 *
 * @throws RouteError
 */
export async function createHttp<T extends Terms>(options: HttpOptions<T>): Promise<Http> {
  const { publicUrl, clock, registry, log } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const base = publicUrl?.origin ?? '';
  const state = { draining: false };
  const documents = { openApi: '', docs: '', errors: '' };
  const routes = [...builtInRoutes<T>(options, documents, state), ...options.routes];
  const faults = faultsOf(routes, options);
  if (faults.length > 0) throw new RouteError(faults);
  const openApi = drawDocuments(documents, routes, options);

  const answerError = errorAnswerer({ log, clock, base, lingerMs: limits.lingerMs, state });
  const app = newServer(limits, base, (error, request, reply) => {
    prepare(request, reply);
    answerError(error, request, reply);
  });
  const measure = requestMeasure(registry);
  receive(app, routes, options, state, measure);
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(() => {
    throw httpErrors.not_found();
  });
  for (const route of routes) mountRoute(app, route, { ...options, limits, measure, state });
  await app.ready();

  return {
    openApi,
    listen: (at) => app.listen(at),
    async close(graceMs) {
      state.draining = true;
      const stop = clock.after(graceMs, () => app.server.closeAllConnections());
      await app.close();
      stop();
    },
  };
}

/** What is done to every request, whether a route takes it or none. */
function receive<T extends Terms>(
  app: FastifyInstance,
  routes: readonly Route<T>[],
  { publicUrl, allowedHosts = [] }: HttpOptions<T>,
  state: { readonly draining: boolean },
  measure: Measure,
): void {
  const allowedOn = methodTable(routes);
  const checkHost = hostCheck([...(publicUrl ? [publicUrl.hostname] : []), ...allowedHosts]);
  const whileDraining = new Set(['/healthz', '/readyz']);

  app.addHook('onRequest', (request, reply, done) => {
    prepare(request, reply);
    const path = pathOf(request.raw.url ?? '');
    checkHost(request.raw);
    refuseTrickyTarget(request.raw.url ?? '');
    if (state.draining && !whileDraining.has(path)) throw httpErrors.draining({ retryAfter: 1 });
    if (!request.is404) return done();
    const allow = allowedOn(path);
    if (allow === undefined) throw httpErrors.not_found();
    if (request.method !== 'OPTIONS') throw httpErrors.method_not_allowed({ headers: { allow } });
    void reply.code(204).header('allow', allow).send();
  });
  app.addHook('onResponse', (request, reply, done) => {
    if (request.is404) measure(request.method, 'unknown', reply.statusCode, reply.elapsedTime);
    if (state.draining) request.raw.socket.end();
    done();
  });
}

/** Accepted from a client, since it leads through its own logs; anything else is replaced. */
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$/;

function newServer(limits: Limits, base: string, answerError: AnswerError): FastifyInstance {
  const app = fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    return503OnClosing: false,
    genReqId: ({ headers: { 'x-request-id': id } }) =>
      typeof id === 'string' && REQUEST_ID.test(id) ? id : newId(),
    http: {
      headersTimeout: Math.min(limits.headersMs, limits.requestMs),
      connectionsCheckingInterval: limits.checkTimeoutsMs,
      maxHeaderSize: limits.headerBytes,
      // Checked by the hub, which also explains it.
      requireHostHeader: false,
    },
    routerOptions: { maxParamLength: 1_024, querystringParser: () => ({}) },
    clientErrorHandler: (error, socket) => answerMalformed(error, socket, base),
    // A path that cannot be decoded names nothing.
    frameworkErrors: (_error, request, reply) =>
      answerError(httpErrors.not_found(), request as FastifyRequest, reply as FastifyReply),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes));
  app.decorateRequest('caller', undefined);
  return app;
}

/** On every answer, errors included. Pages loosen the policy for their own style. */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

function prepare(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(HEADERS).header('x-request-id', request.id);
}
