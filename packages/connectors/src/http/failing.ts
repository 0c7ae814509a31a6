import {
  retryAfterOf,
  retryClassOf,
  type ActionContext,
  type ActionError,
  type ErrorTable,
  type RetryClass,
} from '@linkspan/sdk';
import type { Answered } from './answer.ts';

/** Which statuses are failures, and what each stands for. */

export type StatusCode =
  | 'http_rejected'
  | 'http_request_timeout'
  | 'http_rate_limited'
  | 'http_unavailable'
  | 'http_server_error'
  | 'http_uncertain';

export const statusErrors: ErrorTable<StatusCode> = {
  http_rejected: { meaning: 'The target refused the request.', retry: 'permanent' },
  http_request_timeout: {
    meaning: 'The target, or a gateway before it, gave up waiting (408, 504).',
    retry: 'timeout',
  },
  http_rate_limited: { meaning: 'The target asks for fewer requests (429).', retry: 'rate_limited' },
  http_unavailable: { meaning: 'The target is not available (502, 503).', retry: 'unavailable' },
  http_server_error: { meaning: 'The target failed (another 5xx).', retry: 'transient' },
  http_uncertain: {
    meaning:
      'The target failed with a 5xx and may still have acted on the request, so it is not repeated by itself.',
    retry: 'permanent',
  },
};

/** Whether `patterns` name a status: `404`, or `4xx` for all of a kind. */
export function failsOn(status: number, patterns: readonly string[] = ['4xx', '5xx']): boolean {
  return patterns.includes(String(status)) || patterns.includes(`${Math.floor(status / 100)}xx`);
}

/** With these the target says that it did not act. */
const NOT_ACTED: ReadonlySet<number> = new Set([501, 503, 505]);

const CODES: Readonly<Record<RetryClass, StatusCode>> = {
  timeout: 'http_request_timeout',
  rate_limited: 'http_rate_limited',
  unavailable: 'http_unavailable',
  transient: 'http_server_error',
  permanent: 'http_rejected',
};

function codeOf(status: number, repeatable: boolean): StatusCode {
  const uncertain = status >= 500 && !repeatable && !NOT_ACTED.has(status);
  return uncertain ? 'http_uncertain' : CODES[retryClassOf(status)];
}

/** The error a status that counts as a failure stands for. `repeatable`: the same request may be sent again. */
export function statusError(
  ctx: ActionContext<unknown, StatusCode>,
  { output, response }: Answered,
  repeatable: boolean,
): ActionError {
  const { status, headers, body, bodyFormat } = output;
  const retryAfter = retryAfterOf(response);
  return ctx.fail(codeOf(status, repeatable), {
    message: `The target answered ${status}.`,
    details: { status, headers, body, bodyFormat },
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}
