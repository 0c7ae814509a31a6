import { errors } from 'undici';
import { HubError } from '../errors.ts';
import { egressErrors, timedOut } from './errors.ts';
import type { EgressLimits, EgressTimeouts } from './limits.ts';

/** The code of an error of the runtime or of undici. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** What an error of a request under way means to its caller. `allowed` is named in the detail. */
export function understood(cause: unknown, allowed: EgressTimeouts & EgressLimits): HubError {
  if (cause instanceof HubError) return cause;
  const code = codeOf(cause) ?? '';
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return timedOut('headers', allowed.headers, cause);
  if (code === 'UND_ERR_BODY_TIMEOUT') return timedOut('body', allowed.body, cause);
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return egressErrors.egress_response_too_large({
      detail: `The headers are larger than ${allowed.headerBytes} bytes.`,
      cause,
    });
  if (UNSENDABLE.has(code)) return egressErrors.egress_bad_request({ detail: UNSENDABLE.get(code)!, cause });
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED')
    return egressErrors.egress_aborted({ cause });
  if (cause instanceof errors.HTTPParserError)
    return egressErrors.egress_response_broken({ detail: 'It is not HTTP.', cause });
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return egressErrors.egress_tls_failed({ detail: `The other side ended the encryption: ${code}.`, cause });
  return egressErrors.egress_reset({ cause });
}

const UNSENDABLE: ReadonlyMap<string, string> = new Map([
  ['UND_ERR_INVALID_ARG', 'The method, the path or a header holds characters that cannot be sent.'],
  ['UND_ERR_NOT_SUPPORTED', 'A header asks for something that is not supported.'],
  ['UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'Content-Length differs from the length of the body.'],
]);
