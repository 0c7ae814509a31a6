import type { CallbackKind, CallbackOptions } from '@linkspan/sdk';

/** A callback: the right to continue a waiting call from outside, once. */
export interface Callback {
  readonly tenant: string;
  readonly call: string;
  readonly name: string;
  readonly kind: CallbackKind;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/**
 * A delivery, from the moment it is stored:
 *
 *     received → noted                     the call waits on: a handshake, a report
 *     received → decided → continued       it continued the call, once
 *                        → surpassed       another had, or the call had ended
 *     received → failed → received         its handler broke off; it may come again, or be replayed
 *
 * `decided` may last: a delivery that comes before its call waits is kept until then.
 */
export type DeliveryState = 'received' | 'failed' | 'noted' | 'decided' | 'continued' | 'surpassed';

/** Why a request to a callback is refused; for the audit alone, the sender learns less. */
export type Refusal = 'forged' | 'foreign' | 'expired' | 'late' | 'unverified' | 'full';

export const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

const DAY = 24 * 3_600_000;
const DEFAULT_LIFE = 7 * DAY;
const LONGEST_LIFE = 400 * DAY;

/** Callbacks one call may have. */
export const MOST_CALLBACKS = 20;
/** Deliveries kept for one call, and the bytes of their bodies together. */
export const MOST_DELIVERIES = 1_000;
export const MOST_BYTES = 16 * 1_048_576;
/** Bytes of a body. */
export const LARGEST_BODY = 1_048_576;

/** A callback as it is asked for, fit to be stored. @throws TypeError for a name or a life that is none */
export function newCallback(
  call: { readonly tenant: string; readonly id: string },
  name: string,
  { kind = 'webhook', expiresIn = DEFAULT_LIFE }: CallbackOptions,
  now: number,
): Callback {
  if (!NAME.test(name)) throw new TypeError('a callback is named by lower-case letters, digits and hyphens');
  if (kind !== 'webhook' && kind !== 'redirect') throw new TypeError('a callback is a webhook or a redirect');
  if (!(expiresIn > 0)) throw new TypeError('a callback expires in some milliseconds');
  const expires = Math.floor(now + Math.min(expiresIn, LONGEST_LIFE));
  return { tenant: call.tenant, call: call.id, name, kind, expires };
}

/** Why a new delivery is not taken in; undefined when it is. Decided by what is stored, whatever its address says. */
export function refusalOf(
  asked: Callback,
  found: {
    readonly callback: Callback | undefined;
    readonly open: boolean;
    readonly deliveries: number;
    readonly bytes: number;
  },
  now: number,
): Refusal | undefined {
  const { callback, open, deliveries, bytes } = found;
  if (!callback || callback.kind !== asked.kind || callback.expires !== asked.expires) return 'foreign';
  if (!open) return 'late';
  if (callback.expires <= now) return 'expired';
  return deliveries >= MOST_DELIVERIES || bytes >= MOST_BYTES ? 'full' : undefined;
}
