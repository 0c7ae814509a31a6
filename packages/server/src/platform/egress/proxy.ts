import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import type { HubError } from '../errors.ts';
import { egressErrors, notSent } from './errors.ts';
import { secure, type TlsSettings } from './tls.ts';
import { hostOf, portOf } from './url.ts';

/**
 * A proxy that everything goes through. It comes from the hub's configuration alone, never from the environment, and
 * its own address is not checked: an administrator named it.
 */
export interface ProxySettings {
  /** `http:` or `https:`, host and port. */
  readonly url: URL;
  /** Value of the `Proxy-Authorization` header. */
  readonly authorization?: string;
  readonly tls?: TlsSettings;
}

/**
 * Opens a tunnel to one of the addresses, trying them in order. The proxy is told the address and never the name, so
 * it cannot resolve it to another one.
 *
 * @throws egress_proxy_failed, egress_tls_failed
 */
export async function tunnel(
  proxy: ProxySettings,
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  let failure: unknown;
  for (const address of addresses) {
    try {
      return await tunnelTo(proxy, address, port, signal);
    } catch (error) {
      failure = error;
      signal.throwIfAborted();
    }
  }
  throw failure;
}

async function tunnelTo(
  proxy: ProxySettings,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = await reach(proxy, signal);
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const target = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const request = httpRequest({
    method: 'CONNECT',
    path: target,
    headers: { host: target, ...(proxy.authorization ? { 'proxy-authorization': proxy.authorization } : {}) },
    // Without an agent, which would open a connection of its own.
    createConnection: () => socket,
    signal,
  });
  request.once('connect', ({ statusCode }, connection: Socket, head) => {
    if (statusCode === 200) {
      if (head.length > 0) connection.unshift(head);
      return resolve(connection);
    }
    connection.destroy();
    return reject(failed(`It answered ${statusCode} for port ${port}.`));
  });
  request.on('error', (cause) => {
    socket.destroy();
    reject(failed('The connection to it was lost.', cause));
  });
  request.end();
  return promise;
}

async function reach(proxy: ProxySettings, signal: AbortSignal): Promise<Socket> {
  const host = hostOf(proxy.url);
  const socket = connect({ host, port: portOf(proxy.url), noDelay: true, signal });
  socket.on('error', () => undefined);
  try {
    await once(socket, 'connect', { signal });
  } catch (cause) {
    socket.destroy();
    throw failed('It cannot be reached.', cause);
  }
  return proxy.url.protocol === 'https:' ? secure(socket, { host, tls: proxy.tls, signal }) : socket;
}

function failed(detail: string, cause?: unknown): HubError {
  return notSent(egressErrors.egress_proxy_failed({ detail, cause }));
}
