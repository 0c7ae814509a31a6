import { callbackify } from 'node:util';
import type { Registry } from 'prom-client';
import { Pool, type Dispatcher } from 'undici';
import type { Clock } from '../clock.ts';
import { HubError } from '../errors.ts';
import type { Log } from '../log.ts';
import { bodyOf, type BodySource } from './body.ts';
import { codingsOf, decoded } from './decode.ts';
import { dial, type DialOptions } from './dial.ts';
import { withoutMark } from './errors.ts';
import { exchange, type Answer, type ResponseHeaders } from './exchange.ts';
import { systemResolver, type Refusal, type Resolver } from './guard.ts';
import { Life } from './life.ts';
import { LIMITS, TIMEOUTS, type EgressLimits, type EgressTimeouts } from './limits.ts';
import { createMetrics } from './metrics.ts';
import { bodyToSend, outgoing, type Outgoing } from './outgoing.ts';
import { createPools, type PoolBounds } from './pools.ts';
import type { ProxySettings } from './proxy.ts';
import { followed } from './redirect.ts';
import type { Egress, EgressRequest, EgressResponse } from './request.ts';
import type { EgressRules, EgressScope } from './rules.ts';
import { socketsOf } from './sockets.ts';
import { tlsKey, type TlsSettings } from './tls.ts';
import { hostOf, portOf } from './url.ts';

export interface EgressOptions {
  readonly rules: EgressRules;
  readonly log: Log;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly resolver?: Resolver;
  readonly proxy?: ProxySettings;
  readonly timeouts?: Partial<EgressTimeouts>;
  readonly limits?: Partial<EgressLimits>;
  readonly pools?: Partial<PoolBounds>;
  readonly userAgent?: string;
  /** Told of every refusal, for the audit. */
  readonly onRefused?: (refusal: Refusal) => void;
}

const POOLS: PoolBounds = { origins: 256, connectionsPerOrigin: 64, idleMs: 60_000, lifeMs: 300_000 };
const NOBODY: EgressScope = {};

/** Makes the way out. One per process. */
export function createEgress(options: EgressOptions): Egress {
  const { clock, userAgent = 'Linkspan' } = options;
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const limits = { ...LIMITS, ...options.limits };
  const bounds = { ...POOLS, ...options.pools };
  const metrics = createMetrics(options.registry);
  const dialling: DialOptions = {
    clock,
    rules: options.rules,
    log: options.log,
    resolver: options.resolver ?? systemResolver,
    proxy: options.proxy,
    onRefused(refusal) {
      metrics.refused(refusal);
      options.onRefused?.(refusal);
    },
  };
  const pools = createPools(clock, bounds);

  function poolOf(url: URL, scope: EgressScope, tls: TlsSettings | undefined): Pool {
    const key = `${url.origin} ${tlsKey(tls)} ${options.rules.realm(scope)}`;
    return pools.get(key, () => makePool(url, scope, tls));
  }

  function makePool(url: URL, scope: EgressScope, tls: TlsSettings | undefined): Pool {
    const to = { host: hostOf(url), port: portOf(url), kind: 'http', scope } as const;
    const encrypt = url.protocol === 'https:';
    const request = { to, encrypt, tls, protocols: ['http/1.1'], timeoutMs: timeouts.connect };
    const dialled = callbackify(() => dial(dialling, request));
    return new Pool(url.origin, {
      connections: bounds.connectionsPerOrigin,
      clientTtl: bounds.lifeMs,
      maxHeaderSize: limits.headerBytes,
      allowH2: false,
      connect: (_, done) => dialled((error, socket) => (error ? done(error, null) : done(null, socket))),
    });
  }

  async function follow(
    request: EgressRequest,
    life: Life,
    allowed: EgressTimeouts & EgressLimits,
  ): Promise<EgressResponse> {
    const { scope = NOBODY, decompress = true } = request;
    let sending = outgoing(request, { userAgent, decompress });
    let { tls } = request;
    let sent = false;
    for (let redirects = 0; ; redirects++) {
      const pool = poolOf(sending.url, scope, tls);
      try {
        const answer = await exchange(pool, dispatched(sending, allowed), { clock, life, allowed });
        sent = true;
        const next = followed(request, sending, answer, redirects);
        if (!next) return responseOf(sending, answer, { redirects, decompress, limit: allowed.decodedBytes });
        if (next.url.origin !== sending.url.origin) tls = undefined;
        sending = next;
      } catch (error) {
        throw sent && error instanceof HubError ? withoutMark(error) : error;
      }
    }
  }

  return {
    async request(request) {
      const start = performance.now();
      const allowed = { ...timeouts, ...limits, ...request.timeouts, ...request.limits };
      const life = new Life(clock, allowed.total, request.signal);
      let outcome = 'answered';
      try {
        return await follow(request, life, allowed);
      } catch (error) {
        outcome = error instanceof HubError ? error.code : 'internal';
        throw error;
      } finally {
        life.answered();
        metrics.record(request.target ?? 'other', outcome, (performance.now() - start) / 1000);
      }
    },
    ...socketsOf(dialling, timeouts.connect),
    close: () => pools.close(),
  };
}

function dispatched(
  { url, method, headers, body }: Outgoing,
  allowed: EgressTimeouts,
): Dispatcher.DispatchOptions {
  return {
    path: url.pathname + url.search,
    method,
    headers: headers as Record<string, string | string[]>,
    body: bodyToSend(body),
    headersTimeout: allowed.headers,
    bodyTimeout: allowed.body,
  };
}

function responseOf(
  { url, method }: Outgoing,
  { status, headers, incoming }: Answer,
  { redirects, decompress, limit }: { redirects: number; decompress: boolean; limit: number },
): EgressResponse {
  const codings = decompress && method !== 'HEAD' ? codingsOf(headers['content-encoding']) : undefined;
  const source: BodySource = codings
    ? { [Symbol.asyncIterator]: () => decoded(incoming, codings, limit), discard: () => incoming.discard() }
    : incoming;
  return {
    status,
    headers: codings ? unpackedHeaders(headers) : headers,
    body: bodyOf(source),
    url: url.href,
    redirects,
  };
}

function unpackedHeaders(headers: ResponseHeaders): ResponseHeaders {
  const { 'content-encoding': _coding, 'content-length': _length, ...rest } = headers;
  return rest;
}
