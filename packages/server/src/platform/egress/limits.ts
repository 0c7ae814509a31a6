/** What a request may take. */

/** Milliseconds. Headers and body are kept to the second: a shorter time counts as one second at most. */
export interface EgressTimeouts {
  /**
   * Until the request can be written: waiting for a free connection, resolving, connecting, encrypting. A request may
   * shorten the hub's time, not lengthen it.
   */
  readonly connect: number;
  /** From the request's last byte to the end of the answer's headers. */
  readonly headers: number;
  /** Between two pieces of the answer's body. */
  readonly body: number;
  /** Everything together, redirects and reading the body included. */
  readonly total: number;
}

export interface EgressLimits {
  /** Bytes of the answer's headers. Counts per origin: the limit of the hub, not of a request. */
  readonly headerBytes: number;
  /** Bytes of the answer's body on the wire. */
  readonly bytes: number;
  /** Bytes of the answer's body after decompression. */
  readonly decodedBytes: number;
}

export const TIMEOUTS: EgressTimeouts = { connect: 10_000, headers: 30_000, body: 30_000, total: 120_000 };

export const LIMITS: EgressLimits = {
  headerBytes: 32_768,
  bytes: 32 * 1024 ** 2,
  decodedBytes: 64 * 1024 ** 2,
};
