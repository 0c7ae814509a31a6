import { createHash } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { HubError } from '../errors.ts';
import { codeOf } from './faults.ts';
import { egressErrors, notSent } from './errors.ts';

/**
 * TLS settings of a connection. Certificates are always checked; there is no switch. Treat an object as frozen once
 * it was used: contexts and connections are kept by it.
 */
export interface TlsSettings {
  /** Authorities to trust instead of the public ones, PEM. */
  readonly ca?: string | readonly string[];
  /** Client certificate with its chain, PEM. */
  readonly cert?: string;
  /** Key of the client certificate, PEM. */
  readonly key?: string;
  readonly passphrase?: string;
  /** Name to ask for and to check instead of the host. */
  readonly servername?: string;
}

const keys = new WeakMap<TlsSettings, string>();

/** A short text that is equal for equal settings: connections made with different ones are never shared. */
export function tlsKey(settings: TlsSettings | undefined): string {
  if (settings === undefined) return '';
  let key = keys.get(settings);
  if (key === undefined) {
    const { ca, cert, key: secret, passphrase, servername } = settings;
    key = createHash('sha256')
      .update(JSON.stringify([ca, cert, secret, passphrase, servername]))
      .digest('base64url');
    keys.set(settings, key);
  }
  return key;
}

const contexts = new WeakMap<TlsSettings, SecureContext>();

function contextOf(settings: TlsSettings): SecureContext {
  let context = contexts.get(settings);
  if (context === undefined) {
    const { ca, cert, key, passphrase } = settings;
    context = createSecureContext({
      ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    });
    contexts.set(settings, context);
  }
  return context;
}

export interface SecureOptions {
  /** Whom the other side has to be. */
  readonly host: string;
  readonly tls?: TlsSettings | undefined;
  /** Protocols to offer (ALPN). */
  readonly protocols?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Encrypts a connected socket and checks that the other side is `host`. The socket is destroyed on failure and when
 * `signal` aborts.
 *
 * @throws egress_tls_failed, egress_connect_failed when the connection breaks
 */
export function secure(socket: Socket, { host, tls, protocols, signal }: SecureOptions): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  try {
    const name = tls?.servername ?? host;
    const encrypted = connect({
      socket,
      host: name,
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(tls === undefined ? {} : { secureContext: contextOf(tls) }),
      ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
      // Said aloud: NODE_TLS_REJECT_UNAUTHORIZED would otherwise decide.
      rejectUnauthorized: true,
    });
    const abort = (): void => void encrypted.destroy(new Error('aborted'));
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    encrypted.once('secureConnect', () => {
      signal?.removeEventListener('abort', abort);
      resolve(encrypted);
    });
    // Stays for good: an error between two owners of the socket must not end the process.
    encrypted.on('error', (error) => {
      signal?.removeEventListener('abort', abort);
      socket.destroy();
      reject(handshakeFailed(error, host));
    });
  } catch (cause) {
    socket.destroy();
    const detail = 'The authority, certificate or key of the connection cannot be used.';
    reject(notSent(egressErrors.egress_tls_failed({ detail, cause })));
  }
  return promise;
}

const BROKEN: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED']);

function handshakeFailed(cause: Error, host: string): HubError {
  const code = codeOf(cause);
  if (code === undefined || BROKEN.has(code))
    return notSent(
      egressErrors.egress_connect_failed({
        detail: `${host} broke off while the connection was encrypted.`,
        cause,
      }),
    );
  return notSent(
    egressErrors.egress_tls_failed({ detail: `The certificate or handshake of ${host}: ${code}.`, cause }),
  );
}
