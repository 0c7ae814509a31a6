/**
 * Errors a caller may see. Every kind is declared once, by the part that raises it, and all of them together
 * form the catalogue of `docs/errors.md`. Nothing else of an error ever reaches a client.
 */

/** One fault of an input: where it is (a JSON pointer or a field name), which rule it breaks, and how. */
export interface Fault {
  readonly path: string;
  readonly rule: string;
  readonly message: string;
}

/** What is fixed about a kind of error. `code` never changes once released. */
export interface ErrorKind {
  readonly code: string;
  /** HTTP status the kind is answered with. */
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed when it is sent again unchanged. */
  readonly retryable: boolean;
  /** What the reader can do about it. */
  readonly help: string;
}

/** What differs from one occurrence to the next. `detail` is shown to the caller: put no secret into it. */
export interface Occurrence {
  readonly detail?: string;
  readonly faults?: readonly Fault[];
  /** Seconds after which a retry makes sense. */
  readonly retryAfter?: number;
  /** Further response headers the status asks for, such as `Allow`. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Further members of the problem document, shown to the caller. An error that has them tells how something else
   * ended: it is an answer, and no fault of the hub.
   */
  readonly members?: Readonly<Record<string, unknown>>;
  /** Kept for the log only. */
  readonly cause?: unknown;
}

/** An error with a stable code, fit to be shown. Anything else that is thrown is answered as `internal`. */
export class HubError extends Error {
  readonly kind: ErrorKind;
  readonly occurrence: Occurrence;

  constructor(kind: ErrorKind, occurrence: Occurrence = {}) {
    super(occurrence.detail ?? kind.title, occurrence.cause === undefined ? {} : { cause: occurrence.cause });
    this.name = 'HubError';
    this.kind = kind;
    this.occurrence = occurrence;
  }

  get code(): string {
    return this.kind.code;
  }
}

/** Makes an occurrence of one kind. The kind itself hangs on it, for catalogues and comparisons. */
export interface ErrorMaker {
  (occurrence?: Occurrence): HubError;
  readonly kind: ErrorKind;
}

/**
 * Declares the error kinds of one part of the hub; the keys are their codes.
 *
 *     export const tokenErrors = defineErrors({ token_unknown: { status: 401, … } });
 *     throw tokenErrors.token_unknown();
 */
export function defineErrors<const K extends string>(
  kinds: Record<K, Omit<ErrorKind, 'code'>>,
): Readonly<Record<K, ErrorMaker>> {
  const makers = {} as Record<K, ErrorMaker>;
  for (const code of Object.keys(kinds) as K[]) {
    const kind: ErrorKind = { code, ...kinds[code] };
    makers[code] = Object.assign((occurrence?: Occurrence) => new HubError(kind, occurrence), { kind });
  }
  return makers;
}
