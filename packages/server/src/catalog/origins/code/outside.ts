import type { Socket } from 'node:net';
import { TransportError, type HttpRequest, type HttpResponse, type Outside } from '@linkspan/sdk';
import { plainRequest } from '@linkspan/sdk/hub';
import type { Egress, EgressRequest, EgressResponse, EgressScope } from '../../../platform/egress/index.ts';
import { throughEgress } from './transport.ts';

/** The outside world of one attempt, and what the attempt may have done to it. */
export interface WatchedOutside extends Outside {
  /** Whether something may have been changed: a request that is not safe may have been sent, or a socket was open. */
  touched(): boolean;
  /** Ends every socket that is still open. */
  close(): void;
}

export interface OutsideOptions {
  readonly egress: Pick<Egress, 'request' | 'connect' | 'secure'>;
  readonly scope: EgressScope & { readonly connector: string };
  readonly signal: AbortSignal;
}

/** Methods that change nothing (RFC 9110, 9.2.1): when such a request is lost, nothing happened. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export function outsideOf({ egress, scope, signal }: OutsideOptions): WatchedOutside {
  const sockets = new Set<Socket>();
  let touched = false;
  let underWay = 0;

  async function send(request: HttpRequest): Promise<HttpResponse> {
    const sending = egressRequest(request, scope, signal);
    const safe = SAFE.has(sending.method ?? 'GET');
    if (!safe) underWay++;
    try {
      const response = await throughEgress(egress.request(sending));
      touched ||= !safe;
      return responseOf(response, request.maxBytes);
    } catch (error) {
      touched ||= !safe && !(error instanceof TransportError && !error.maySent);
      throw error;
    } finally {
      if (!safe) underWay--;
    }
  }

  function kept<S extends Socket>(socket: S): S {
    touched = true;
    sockets.add(socket);
    return socket;
  }

  return {
    http: { request: send },
    connect: async (request) => kept(await throughEgress(egress.connect({ ...request, signal, scope }))),
    secure: async (socket, options) =>
      kept(await throughEgress(egress.secure(socket, { ...options, signal }))),
    touched: () => touched || underWay > 0,
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The wire may carry a little more than the content: a compressed body of few bytes is longer than these. */
const CODING_BYTES = 1_024;

function egressRequest(
  request: HttpRequest,
  scope: OutsideOptions['scope'],
  signal: AbortSignal,
): EgressRequest {
  const { method, url, headers, body } = plainRequest(request);
  const { timeout, maxBytes, redirect, secretHeaders } = request;
  return {
    method,
    url,
    headers,
    signal,
    scope,
    target: scope.connector,
    ...(body !== undefined && { body }),
    ...(redirect && { redirect }),
    ...(secretHeaders && { secretHeaders }),
    // A time the connector names counts alone: shorter defaults of single phases would undercut it.
    ...(timeout !== undefined && { timeouts: { total: timeout, headers: timeout, body: timeout } }),
    ...(maxBytes !== undefined && { limits: { decodedBytes: maxBytes, bytes: maxBytes + CODING_BYTES } }),
  };
}

function responseOf(response: EgressResponse, maxBytes: number | undefined): HttpResponse {
  const { status, headers, url, body } = response;
  const text = (): Promise<string> => throughEgress(body.text(maxBytes));
  return {
    status,
    ok: status >= 200 && status < 300,
    headers,
    url,
    bytes: () => throughEgress(body.bytes(maxBytes)),
    text,
    json: async () => parsed(await text()),
    discard: () => body.discard(),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TransportError('response_not_json', {
      message: 'The answer is not JSON.',
      retry: 'transient',
      maySent: true,
    });
  }
}
