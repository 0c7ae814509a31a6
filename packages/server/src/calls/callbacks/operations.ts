import { TransportError } from '@linkspan/sdk';
import type { Caller } from '../../access/index.ts';
import { recordAudit, type Actor } from '../../audit/index.ts';
import type { OpenCallback } from '../../catalog/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { HubError } from '../../platform/errors.ts';
import { callErrors } from '../errors.ts';
import type { Addresses } from './address.ts';
import { MOST_CALLBACKS, newCallback, type Callback, type DeliveryState } from './callback.ts';
import { callbackErrors } from './errors.ts';
import type { Reception } from './reception.ts';
import * as store from './store.ts';

export interface CallbackPorts {
  readonly database: Database;
  readonly addresses: Addresses;
  readonly reception: Reception;
  /** The address others reach this hub under, without a slash at its end; known once it listens. */
  readonly base: () => Promise<string>;
}

/** What `ctx.callback` does: stores the callback, unless its call has it already, and gives its address. */
export function callbackOpener(
  ports: Pick<CallbackPorts, 'database' | 'addresses' | 'base'>,
  clock: Clock,
): OpenCallback {
  return async (call, name, options) => {
    const asked = newCallback(call, name, options, clock.now());
    const opened = await open(ports.database, asked);
    if (opened?.kind !== asked.kind) throw new TypeError(`the callback ${name} is of another kind`);
    return addressOf(ports, opened);
  };
}

async function open(database: Database, asked: Callback): Promise<Callback | undefined> {
  try {
    return await database.asTenant(asked.tenant, async (tx) => {
      await store.lockCallbacks(tx, asked.call);
      const opened = await store.openCallback(tx, asked);
      const all = await store.callbacksOf(tx, asked.tenant, asked.call);
      if (all.length > MOST_CALLBACKS) throw new RangeError(`a call has at most ${MOST_CALLBACKS} callbacks`);
      return opened;
    });
  } catch (cause) {
    if (!(cause instanceof HubError)) throw cause;
    // Nothing has been sent with an address that was not handed out.
    throw new TransportError('callback_unavailable', {
      message: 'The callback could not be stored.',
      retry: 'transient',
      maySent: false,
      cause,
    });
  }
}

async function addressOf(
  { addresses, base }: Pick<CallbackPorts, 'addresses' | 'base'>,
  callback: Callback,
): Promise<string> {
  return `${await base()}/cb/${addresses.tokenOf(callback)}`;
}

/** The callbacks of a call with their addresses. Fails with `call_not_found`. */
export async function listCallbacks(
  ports: CallbackPorts,
  { tenant }: Caller,
  call: string,
): Promise<{ callback: Callback; address: string }[]> {
  const callbacks = await ports.database.asTenant(tenant, async (tx) => {
    if (!(await store.readCall(tx, tenant, call))) throw callErrors.call_not_found();
    return store.callbacksOf(tx, tenant, call);
  });
  return Promise.all(
    callbacks.map(async (callback) => ({ callback, address: await addressOf(ports, callback) })),
  );
}

/** A page of what came to the callbacks of a call. Fails with `call_not_found`. */
export function listDeliveries(
  { database }: CallbackPorts,
  { tenant }: Caller,
  call: string,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<store.StoredDelivery[]> {
  return database.asTenant(tenant, async (tx) => {
    if (!(await store.readCall(tx, tenant, call))) throw callErrors.call_not_found();
    return store.deliveriesOf(tx, tenant, call, page);
  });
}

/** States a person may have a delivery handed in again from; one that continued its call has ended it. */
const REPLAYABLE: readonly DeliveryState[] = ['received', 'failed', 'noted', 'decided', 'surpassed'];

/**
 * Hands a stored delivery to its handler again; the state it has then.
 *
 * Fails with `call_not_found`, `delivery_not_found`, `call_ended`, `callback_unsettled` while another handles it.
 */
export async function replay(
  { database, reception }: CallbackPorts,
  { tenant }: Caller,
  actor: Actor,
  { call, delivery }: { readonly call: string; readonly delivery: string },
): Promise<DeliveryState> {
  const callback = await database.asTenant(tenant, async (tx) => {
    const found = await store.readCall(tx, tenant, call);
    if (!found) throw callErrors.call_not_found();
    const stored = await store.readDelivery(tx, tenant, delivery);
    if (stored?.call !== call) throw callbackErrors.delivery_not_found();
    if (found.state === undefined) throw callErrors.call_ended();
    await recordAudit(tx, actor, { name: 'callback.replay', target: delivery, changes: { call } });
    return store.findCallback(tx, tenant, call, stored.name);
  });
  if (!callback) throw callbackErrors.delivery_not_found();
  if (!(await reception.handle(callback, delivery, REPLAYABLE)))
    throw callbackErrors.callback_unsettled({ retryAfter: 5 });
  const after = await database.asTenant(tenant, (tx) => store.readDelivery(tx, tenant, delivery));
  return after?.state ?? 'failed';
}
