import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { EgressBody } from './body.ts';
import type { ResponseHeaders } from './exchange.ts';
import type { EgressLimits, EgressTimeouts } from './limits.ts';
import type { RequestBody, RequestHeaders } from './outgoing.ts';
import type { EgressScope } from './rules.ts';
import type { TlsSettings } from './tls.ts';

export interface EgressRequest {
  /** Default `GET`. */
  readonly method?: string;
  readonly url: string;
  readonly headers?: RequestHeaders;
  readonly body?: RequestBody;
  readonly signal?: AbortSignal;
  readonly timeouts?: Partial<EgressTimeouts>;
  readonly limits?: Partial<Omit<EgressLimits, 'headerBytes'>>;
  /** `follow` (default, up to 5), `manual` (the redirect is the answer), or how many are followed. */
  readonly redirect?: 'follow' | 'manual' | number;
  /** Follows redirects from https to http too. */
  readonly allowDowngrade?: boolean;
  /** Headers that hold a secret and are not sent to another origin, beside Authorization and Cookie. */
  readonly secretHeaders?: readonly string[];
  /** Default true. False leaves the body as it is on the wire. */
  readonly decompress?: boolean;
  /** Counts for the origin of `url` alone: another origin is not shown the client certificate. */
  readonly tls?: TlsSettings;
  readonly scope?: EgressScope;
  /** Label of metrics: a connector's id or the like, from a bounded set. */
  readonly target?: string;
}

export interface EgressResponse {
  readonly status: number;
  /** Names in lower case. Of a body that was decompressed, without its coding and length. */
  readonly headers: ResponseHeaders;
  readonly body: EgressBody;
  /** Where the answer came from in the end. */
  readonly url: string;
  /** How many redirects were followed. */
  readonly redirects: number;
}

export interface ConnectRequest {
  readonly host: string;
  readonly port: number;
  /** Encrypts from the first byte; `true` for the public authorities. For STARTTLS leave it out and call `secure`. */
  readonly tls?: TlsSettings | true;
  /** Protocols to offer when encrypting (ALPN). */
  readonly protocols?: readonly string[];
  readonly signal?: AbortSignal;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly scope?: EgressScope;
}

/** The way out of the hub. Every connection is checked as it is made (security rule 3). */
export interface Egress {
  /**
   * Calls an http or https address. Resolves with the head of the answer, whatever its status; read or discard the body.
   *
   * @throws egressErrors; `maySent(error)` tells whether the other side may have seen the request
   */
  request(request: EgressRequest): Promise<EgressResponse>;
  /**
   * Opens a checked socket for connectors with a protocol of their own.
   *
   * @throws egressErrors; nothing was sent
   */
  connect(request: ConnectRequest): Promise<Socket>;
  /** Encrypts a socket of `connect` in mid-conversation, as STARTTLS and PostgreSQL do. */
  secure(socket: Socket, options: Omit<ConnectRequest, 'port' | 'scope'>): Promise<TLSSocket>;
  /** Ends every connection; requests under way end with `egress_aborted`. */
  close(): Promise<void>;
}
