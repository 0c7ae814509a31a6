import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../clock.ts';
import { HubError } from '../errors.ts';
import type { Log } from '../log.ts';
import { bodyTooLarge } from './admission.ts';
import { httpErrors } from './errors.ts';
import { PROBLEM_MEDIA, problemHeaders, problemOf } from './problem.ts';

export type AnswerError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;

/** Answers whatever was thrown with a problem document; what no one declared is logged and told nobody. */
export function errorAnswerer(options: {
  log: Log;
  clock: Clock;
  base: string;
  lingerMs: number;
  state: { readonly draining: boolean };
}): AnswerError {
  const { log, clock, base, lingerMs, state } = options;

  return (thrown, request, reply) => {
    const error = understood(thrown, request);
    if (error.kind.status >= 500 && !error.occurrence.members) report(error, request, reply);
    linger(request, reply);
    if (state.draining) reply.header('connection', 'close');
    void reply
      .code(error.kind.status)
      .headers(problemHeaders(error))
      .type(PROBLEM_MEDIA)
      .send(Buffer.from(JSON.stringify(problemOf(error, base, request.id))));
  };

  function report(error: HubError, request: FastifyRequest, { raw }: FastifyReply): void {
    if (raw.destroyed || error.code === 'draining') return;
    const { method, id, routeOptions } = request;
    log.error('a request failed', {
      err: error,
      code: error.code,
      requestId: id,
      method,
      route: routeOptions.url ?? 'unknown',
    });
  }

  /**
   * A client still sending the body that was refused would get a reset instead of the answer when the connection
   * ended with it. So the rest is read and dropped, but only for a while.
   */
  function linger({ raw }: FastifyRequest, reply: FastifyReply): void {
    if (raw.complete) return;
    reply.removeHeader('connection');
    reply.raw.once('finish', () => {
      clock.after(lingerMs, () => {
        if (!raw.complete) raw.socket.destroy();
      });
    });
  }
}

function understood(thrown: unknown, request: FastifyRequest): HubError {
  if (thrown instanceof HubError) return thrown;
  const { code } = (thrown ?? {}) as { code?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return bodyTooLarge(request.routeOptions.bodyLimit);
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return httpErrors.unsupported_media_type({ cause: thrown });
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH' || code === 'ECONNRESET')
    return httpErrors.malformed_request({ cause: thrown });
  return httpErrors.internal({ cause: thrown });
}
