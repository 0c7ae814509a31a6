import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Log } from '../log.ts';
import { admissionFor, type Gate } from './admission.ts';
import { Exchange, inputReader, type ActorMaker } from './exchange.ts';
import type { Limits } from './limits.ts';
import type { Measure } from './measure.ts';
import { isRaw, type AnyReply, type ReplySpec, type Route, type Terms } from './route.ts';
import { compileCheck } from '../schema/index.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set when the request was let in. */
    caller: unknown;
  }
}

interface Mounting<T extends Terms> extends Gate<T> {
  readonly limits: Limits;
  readonly measure: Measure;
  readonly log: Log;
  readonly actorOf: ActorMaker<T>;
  readonly checked?: boolean;
  readonly state: { readonly draining: boolean };
}

/** Serves one route: admission, then its body, then its input, its handler, its reply. */
export function mountRoute<T extends Terms>(
  app: FastifyInstance,
  route: Route<T>,
  options: Mounting<T>,
): void {
  const { limits, measure, actorOf, state } = options;
  const limit = isRaw(route.body) ? route.body.limit : (route.bodyLimit ?? limits.bodyBytes);
  const admit = admissionFor(route, options, limit);
  const read = inputReader(route);
  const verify = options.checked ? replyVerifier(route) : undefined;

  app.route({
    method: route.method,
    url: route.path,
    bodyLimit: limit,
    schema: { response: jsonReplies(route) },
    onRequest: async (request) => {
      request.caller = await admit(request.raw);
    },
    onResponse: (request, reply, done) => {
      measure(request.method, route.path, reply.statusCode, reply.elapsedTime);
      done();
    },
    handler: async (request, reply) => {
      const caller = request.caller as T['caller'] | undefined;
      const exchange = new Exchange(request, reply, caller, read(request), actorOf);
      const answer = await route.handle(exchange);
      noteMissingEntry(answer, exchange);
      verify?.(answer);
      if (state.draining) reply.header('connection', 'close');
      return send(reply, route, answer);
    },
  });

  /** A successful call of a route that promised an audit entry wrote it. */
  function noteMissingEntry(answer: AnyReply, { noted }: Exchange<T>): void {
    if (typeof route.audit !== 'string' || answer.status >= 400 || noted.includes(route.audit)) return;
    if (options.checked) throw new Error(`${route.method} ${route.path} wrote no audit entry ${route.audit}`);
    options.log.error('a route wrote no audit entry', { method: route.method, route: route.path });
  }
}

function jsonReplies<T extends Terms>({ replies }: Route<T>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(replies).flatMap(([status, reply]) => ('schema' in reply ? [[status, reply.schema]] : [])),
  );
}

function specOf<T extends Terms>(route: Route<T>, status: number): ReplySpec {
  const spec = route.replies[status];
  // Without a schema everything the value holds would be written.
  if (!spec) throw new Error(`${route.method} ${route.path} declares no reply ${status}`);
  return spec;
}

function send<T extends Terms>(reply: FastifyReply, route: Route<T>, answer: AnyReply): FastifyReply {
  const spec = specOf(route, answer.status);
  reply.code(answer.status);
  if (answer.headers) reply.headers(answer.headers);
  if ('empty' in spec) return reply.send();
  if ('media' in spec) {
    if (answer.headers?.['content-type'] === undefined) reply.type(spec.media);
    return reply.send(typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body);
  }
  if (answer.body === undefined)
    throw new Error(`${route.method} ${route.path} lacks the body of reply ${answer.status}`);
  reply.type('application/json; charset=utf-8');
  // A bare text would be sent as it is, without quotes.
  return reply.send(typeof answer.body === 'string' ? Buffer.from(JSON.stringify(answer.body)) : answer.body);
}

/** Finds replies that differ from their schema, which writing would hide: other fields are left out silently. */
function replyVerifier<T extends Terms>(route: Route<T>): (answer: AnyReply) => void {
  const checks = new Map(
    Object.entries(route.replies).map(([status, spec]) => [
      Number(status),
      'schema' in spec ? compileCheck(spec.schema) : undefined,
    ]),
  );
  return ({ status, body }) => {
    const faults = checks.get(status)?.(body) ?? [];
    if (faults.length > 0)
      throw new Error(
        `${route.method} ${route.path} answers ${status} against its schema: ${JSON.stringify(faults)}`,
      );
  };
}
