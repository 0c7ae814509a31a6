import { Type, type Static, type TSchema } from 'typebox';
import { madeAt } from '../platform/ids.ts';
import type { CallFilter } from './filter.ts';
import { ActionId, CallErrorShape, closed, nullable, parsed, State, Time } from './schemas.ts';
import type { HeldCall, ListedCall } from './store.ts';

/** Shapes of lists of calls. */

export const page = {
  after: Type.Optional(Type.String({ format: 'uuid', description: '`next` of the page before.' })),
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 200, description: 'Items of a page; 50 at first.' }),
  ),
};
export const DEFAULT_LIMIT = 50;

export const picked = {
  action: Type.Optional(ActionId),
  principal: Type.Optional(Type.String({ format: 'uuid', description: 'Who started it.' })),
  from: Type.Optional(Type.String({ format: 'date-time', description: 'Asked for at this time or later.' })),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'Asked for before this time.' })),
};

export const CallQuery = Type.Object({ state: Type.Optional(State), ...picked, ...page }, closed);
export const HeldQuery = Type.Object(page, closed);

export const FollowQuery = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,15}\\.[0-9]{1,15}$',
        description: 'The id a message of the stream came with; `0.0` is before everything.',
      }),
    ),
  },
  closed,
);

const pageOf = (item: TSchema) =>
  Type.Object(
    {
      items: Type.Array(item),
      next: Type.Union([Type.String(), Type.Null()], {
        description:
          'What to send as `after` for the next page. A page with one may hold few items, or none.',
      }),
    },
    closed,
  );

export const CallPage = pageOf(
  Type.Object(
    {
      id: Type.String({ format: 'uuid' }),
      action: Type.String(),
      state: State,
      reason: nullable(Type.String()),
      attempts: Type.Integer(),
      principal: nullable(Type.String({ format: 'uuid' })),
      run: nullable(Type.String()),
      askedAt: Type.String({ format: 'date-time', description: 'When it was asked for; lists go by it.' }),
      endedAt: nullable(Time),
    },
    closed,
  ),
);

export function listedCall(call: ListedCall) {
  const { id, action, reason, attempts, principal, run, endedAt } = call;
  const state = call.state === 'continuing' ? ('running' as const) : call.state;
  return {
    id,
    action,
    state,
    reason,
    attempts,
    principal,
    run,
    askedAt: askedAt(id),
    endedAt: endedAt?.toISOString() ?? null,
  };
}

function askedAt(id: string): string {
  return new Date(madeAt(id)).toISOString();
}

export const HeldPage = pageOf(
  Type.Object(
    {
      id: Type.String({ format: 'uuid' }),
      action: Type.String(),
      target: Type.String(),
      principal: nullable(Type.String({ format: 'uuid' })),
      reason: nullable(Type.String({ description: 'Why a person has to look at it.' })),
      attempts: Type.Integer(),
      askedAt: Time,
      deadline: nullable(Time),
      error: nullable(CallErrorShape),
    },
    closed,
  ),
);

export function heldCall({ error, deadline, ...call }: HeldCall) {
  return {
    ...call,
    askedAt: askedAt(call.id),
    deadline: deadline?.toISOString() ?? null,
    error: parsed(error) as Static<typeof CallErrorShape> | null,
  };
}

/** A filter as it is asked for, with its times in milliseconds. */
export function filterOf<F extends { readonly from?: string; readonly to?: string }>({
  from,
  to,
  ...rest
}: F) {
  return {
    ...rest,
    ...(from !== undefined && { from: Date.parse(from) }),
    ...(to !== undefined && { to: Date.parse(to) }),
  } satisfies Pick<CallFilter, 'from' | 'to'>;
}
