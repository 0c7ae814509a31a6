import { Type, type Static } from 'typebox';
import type { Callback } from './callback.ts';
import type { StoredDelivery } from './store.ts';

/** Shapes of the API of callbacks. */

const closed = { additionalProperties: false };
const Id = Type.String({ format: 'uuid' });
const Time = Type.String({ format: 'date-time' });

export const TokenParams = Type.Object({ token: Type.String({ minLength: 1, maxLength: 400 }) }, closed);
export const CallParams = Type.Object({ id: Id }, closed);
export const DeliveryParams = Type.Object({ id: Id, delivery: Id }, closed);

export const DeliveryPage = Type.Object(
  {
    after: Type.Optional(Type.String({ format: 'uuid', description: '`next` of the page before.' })),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Items of a page.' }),
    ),
  },
  closed,
);

export const Callbacks = Type.Object(
  {
    items: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          kind: Type.Enum(['webhook', 'redirect']),
          address: Type.String({ description: 'Whoever knows it may use it.' }),
          expiresAt: Time,
        },
        closed,
      ),
    ),
  },
  closed,
);

const State = Type.Enum(['received', 'failed', 'noted', 'decided', 'continued', 'surpassed'], {
  description:
    '`received`: stored, not decided. `failed`: its handler broke off. `noted`: the call waits on. `decided`: it is used as soon as the call waits. `continued`: it continued the call. `surpassed`: another had.',
});

export const Deliveries = Type.Object(
  {
    items: Type.Array(
      Type.Object(
        {
          id: Id,
          callback: Type.String({ description: 'Name of the callback.' }),
          method: Type.String(),
          address: Type.String({ description: 'The peer it came from.' }),
          size: Type.Integer({ description: 'Bytes of its body.' }),
          receivedAt: Time,
          state: State,
          tries: Type.Integer({ description: 'How often its handler was begun.' }),
          progress: Type.Unknown({ description: 'What it reported: any JSON.' }),
          settledAt: Type.Union([Time, Type.Null()]),
        },
        closed,
      ),
    ),
    next: Type.Union([Id, Type.Null()]),
  },
  closed,
);

export const Replayed = Type.Object({ id: Id, state: State }, closed);

export function shownCallbacks(
  found: readonly { callback: Callback; address: string }[],
): Static<typeof Callbacks> {
  return {
    items: found.map(({ callback: { name, kind, expires }, address }) => ({
      name,
      kind,
      address,
      expiresAt: new Date(expires).toISOString(),
    })),
  };
}

export function shownDeliveries(found: readonly StoredDelivery[], limit: number): Static<typeof Deliveries> {
  return {
    items: found.map(
      ({ id, name, method, address, size, receivedAt, state, tries, progress, settledAt }) => ({
        id,
        callback: name,
        method,
        address,
        size,
        receivedAt: receivedAt.toISOString(),
        state,
        tries,
        progress: progress === null ? null : (JSON.parse(progress) as unknown),
        settledAt: settledAt?.toISOString() ?? null,
      }),
    ),
    next: found.length === limit ? (found.at(-1)?.id ?? null) : null,
  };
}
