import type { IncomingHttpHeaders } from 'node:http';
import { callErrors } from './errors.ts';

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** The idempotency key of a request, if it has one. Fails with `idempotency_key_invalid`. */
export function keyOf(headers: IncomingHttpHeaders): { idempotencyKey?: string } {
  const key = headers['idempotency-key'];
  if (key === undefined) return {};
  if (typeof key !== 'string' || !IDEMPOTENCY_KEY.test(key)) throw callErrors.idempotency_key_invalid();
  return { idempotencyKey: key };
}
