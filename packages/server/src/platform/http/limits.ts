/** What one client may take of the server. Sizes in bytes, times in milliseconds. */
export interface Limits {
  /** A JSON body, where a route names no limit of its own. */
  readonly bodyBytes: number;
  /** All headers of a request together. */
  readonly headerBytes: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** From the first byte of a request to the last of its body. */
  readonly requestMs: number;
  /** An idle connection is kept this long. */
  readonly keepAliveMs: number;
  /** How often the two times of a request are checked. */
  readonly checkTimeoutsMs: number;
  /** How long the rest of a body that was refused early is read and dropped, so that the client sees why. */
  readonly lingerMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 1_048_576,
  headerBytes: 16_384,
  headersMs: 10_000,
  requestMs: 60_000,
  keepAliveMs: 65_000,
  checkTimeoutsMs: 1_000,
  lingerMs: 2_000,
};
