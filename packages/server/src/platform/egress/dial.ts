import { connect as connectSocket, isIP, type Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import type { HubError } from '../errors.ts';
import { egressErrors, notSent, timedOut } from './errors.ts';
import { checkedAddresses, type Destination, type GuardOptions } from './guard.ts';
import { tunnel, type ProxySettings } from './proxy.ts';
import { secure, type TlsSettings } from './tls.ts';

export interface DialOptions extends GuardOptions {
  readonly clock: Clock;
  readonly proxy: ProxySettings | undefined;
}

export interface DialRequest {
  readonly to: Destination;
  /** Encrypts from the first byte. */
  readonly encrypt: boolean;
  readonly tls?: TlsSettings | undefined;
  readonly protocols?: readonly string[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The only way out: resolves, checks, connects to an address that was checked, and encrypts. After any error nothing
 * was sent and no socket is left.
 *
 * @throws egress_refused, egress_dns_failed, egress_connect_failed, egress_tls_failed, egress_proxy_failed,
 *   egress_timeout, egress_aborted
 */
export function dial(options: DialOptions, request: DialRequest): Promise<Socket> {
  return within(options.clock, request, async (signal) => {
    const addresses = await checkedAddresses(options, request.to);
    signal.throwIfAborted();
    const { host, port } = request.to;
    const socket = options.proxy
      ? await tunnel(options.proxy, addresses, port, signal)
      : await connected(host, port, addresses, signal);
    if (!request.encrypt) return socket;
    const { tls, protocols = [] } = request;
    return secure(socket, { host, tls, signal, ...(protocols.length > 0 ? { protocols } : {}) });
  });
}

/** Runs `work` until it is done, its time is over or the caller gives up. What comes out too late is destroyed. */
export async function within<S extends Socket>(
  clock: Clock,
  { timeoutMs, signal }: Pick<DialRequest, 'timeoutMs' | 'signal'>,
  work: (signal: AbortSignal) => Promise<S>,
): Promise<S> {
  const ending = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (error: HubError): void => {
    reject(notSent(error));
    ending.abort(error);
  };
  const abort = (): void => end(egressErrors.egress_aborted({ cause: signal?.reason }));
  if (signal?.aborted) throw notSent(egressErrors.egress_aborted({ cause: signal.reason }));
  signal?.addEventListener('abort', abort, { once: true });
  const stop = clock.after(timeoutMs, () => end(timedOut('connect', timeoutMs)));
  const working = work(ending.signal);
  try {
    return await Promise.race([working, ended]);
  } catch (error) {
    working.then((socket) => socket.destroy()).catch(() => undefined);
    throw error;
  } finally {
    stop();
    signal?.removeEventListener('abort', abort);
  }
}

function connected(
  host: string,
  port: number,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const entries = addresses.map((address) => ({ address, family: isIP(address) }));
  const socket = connectSocket({
    host,
    port,
    // Never called for an address; for a name it hands over what was checked instead of asking again.
    lookup: (_name, { all }, done) =>
      all ? done(null, entries) : done(null, entries[0]!.address, entries[0]!.family),
    autoSelectFamily: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  });
  const abort = (): void => void socket.destroy();
  signal.addEventListener('abort', abort, { once: true });
  const settled = (): void => signal.removeEventListener('abort', abort);
  socket.once('connect', () => {
    settled();
    resolve(socket);
  });
  // Stays for good: an error between two owners of the socket must not end the process.
  socket.on('error', (cause) => {
    settled();
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    reject(notSent(egressErrors.egress_connect_failed({ detail: `${host} port ${port}: ${code}.`, cause })));
  });
  return promise;
}
