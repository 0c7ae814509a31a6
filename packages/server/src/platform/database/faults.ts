import { HubError } from '../errors.ts';
import { databaseErrors } from './errors.ts';

/** SQLSTATE of an error of PostgreSQL, or the code of a broken socket. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** True when the transaction was undone for reasons of timing and may be run again as it is. */
export function wasContention(error: unknown): boolean {
  const code = codeOf(error);
  return code === '40001' || code === '40P01';
}

const SOCKET_FAULTS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** `pg` reports these without a code. */
const LOST =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered|Cannot use a pool|Query read timeout)/;

/** True when nobody was there to answer: the connection failed, was lost, or the server is going down. */
export function wasUnreachable(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined) return error instanceof Error && LOST.test(error.message);
  if (error instanceof AggregateError) return error.errors.some(wasUnreachable);
  return SOCKET_FAULTS.has(code) || /^(08|57P|53)/.test(code);
}

/** What an error of the database means to a caller. Errors that are no fault of the database pass unchanged. */
export function understood(error: unknown): unknown {
  if (error instanceof HubError) return error;
  const code = codeOf(error);
  if (code === '53100') return databaseErrors.database_full({ cause: error, retryAfter: 30 });
  if (wasUnreachable(error)) return databaseErrors.database_unavailable({ cause: error, retryAfter: 1 });
  if (code?.startsWith('28')) return databaseErrors.database_access_denied({ cause: error });
  if (code === '25006') return databaseErrors.database_read_only({ cause: error, retryAfter: 10 });
  if (code === '57014' || code === '55P03' || wasContention(error))
    return databaseErrors.database_busy({ cause: error, retryAfter: 2 });
  return error;
}
