import type { ErrorKind, Fault, HubError } from '../errors.ts';

/** Faults shown at most: an answer is never much larger than what it answers. */
const MOST_FAULTS = 100;

/** A problem document (RFC 9457), with the fields of ours in a fixed order. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
  readonly help: string;
  readonly retryable: boolean;
  readonly faults?: readonly Fault[];
  readonly requestId?: string;
}

export const PROBLEM_MEDIA = 'application/problem+json';

/** Where a kind of error is explained, relative to the hub. */
function helpAddress(kind: ErrorKind): string {
  return `/docs/errors#${kind.code}`;
}

/** The document of an error. `base` is the public address of the hub, empty when it has none. */
export function problemOf(error: HubError, base: string, requestId?: string): Problem {
  const { kind, occurrence } = error;
  return {
    type: base + helpAddress(kind),
    title: kind.title,
    status: kind.status,
    code: kind.code,
    ...(occurrence.detail === undefined ? {} : { detail: occurrence.detail }),
    help: kind.help,
    retryable: kind.retryable,
    ...(occurrence.faults === undefined ? {} : { faults: shown(occurrence.faults) }),
    ...(requestId === undefined ? {} : { requestId }),
    ...occurrence.members,
  };
}

function shown(faults: readonly Fault[]): readonly Fault[] {
  if (faults.length <= MOST_FAULTS) return faults;
  const more = faults.length - MOST_FAULTS;
  return [
    ...faults.slice(0, MOST_FAULTS),
    { path: '', rule: 'more', message: `${more} more faults are not shown` },
  ];
}

/** Headers that belong to an error beside the document. */
export function problemHeaders(error: HubError): Record<string, string> {
  const { headers, retryAfter } = error.occurrence;
  return {
    ...headers,
    ...(retryAfter === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfter)) }),
  };
}
