import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ErrorMaker } from '../errors.ts';
import { httpErrors } from './errors.ts';
import { PROBLEM_MEDIA, problemOf } from './problem.ts';

const KINDS: Readonly<Record<string, ErrorMaker>> = {
  ERR_HTTP_REQUEST_TIMEOUT: httpErrors.request_timeout,
  HPE_HEADER_OVERFLOW: httpErrors.headers_too_large,
};

/**
 * Answers what never became a request: broken framing, over-long headers, one that took too long to arrive. The
 * connection ends with the answer, since nobody knows where the next request would begin.
 */
export function answerMalformed(error: NodeJS.ErrnoException, socket: Socket, base: string): void {
  const { _httpMessage: begun } = socket as Socket & { _httpMessage?: ServerResponse | null };
  if (error.code !== 'ECONNRESET' && socket.writable && !begun?.headersSent)
    socket.write(answer(KINDS[error.code ?? ''] ?? httpErrors.malformed_request, base));
  socket.destroy();
}

function answer(kind: ErrorMaker, base: string): string {
  const body = JSON.stringify(problemOf(kind(), base));
  const { status } = kind.kind;
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${PROBLEM_MEDIA}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'x-content-type-options: nosniff',
    'connection: close',
    '',
    body,
  ].join('\r\n');
}
