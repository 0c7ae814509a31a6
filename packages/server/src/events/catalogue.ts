import { Type, type Static, type TSchema } from 'typebox';

/** What is fixed about a kind of event. */
export interface EventKind<S extends TSchema = TSchema> {
  /** Grows when the payload changes so that readers of the old one would misread it. */
  readonly version: number;
  /** A sentence: when it is written. */
  readonly when: string;
  /** What its subject is the id of. */
  readonly subject: string;
  readonly data: S;
  readonly example: Static<S>;
}

function kind<S extends TSchema>(declared: EventKind<S>): EventKind<S> {
  return declared;
}

const closed = <P extends Parameters<typeof Type.Object>[0]>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

const Action = Type.String({ description: 'Id of the action.' });

/**
 * Every event the hub itself writes. One that is not here does not compile, nor does one whose payload differs; payloads
 * hold names and ids, never secrets or contents.
 */
export const eventCatalogue = {
  'linkspan.tenant.created': kind({
    version: 1,
    when: 'A tenant was made. The event belongs to the tenant of whoever made it.',
    subject: 'tenant',
    data: closed({ name: Type.String() }),
    example: { name: 'acme' },
  }),
  'linkspan.token.created': kind({
    version: 1,
    when: 'Somebody handed out a token.',
    subject: 'token',
    data: closed({
      name: Type.String(),
      permissions: Type.Array(Type.String()),
      expiresAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    }),
    example: { name: 'arena', permissions: ['calls:write'], expiresAt: null },
  }),
  'linkspan.token.revoked': kind({
    version: 1,
    when: 'A token was revoked.',
    subject: 'token',
    data: closed({ name: Type.String() }),
    example: { name: 'arena' },
  }),
  'linkspan.call.held': kind({
    version: 1,
    when: 'A call waits for a person: whether its last attempt did anything is unknown, or it cannot go on by itself.',
    subject: 'call',
    data: closed({ action: Action, reason: Type.Union([Type.String(), Type.Null()]) }),
    example: { action: 'http/request', reason: 'unknown_outcome' },
  }),
  'linkspan.call.ended': kind({
    version: 1,
    when: 'A call ended. It is written once for each call, and its result can be read from then on.',
    subject: 'call',
    data: closed({
      action: Action,
      state: Type.Enum(['succeeded', 'failed', 'expired', 'cancelled']),
      reason: Type.Union([Type.String(), Type.Null()]),
      attempts: Type.Integer({ minimum: 0 }),
    }),
    example: { action: 'http/request', state: 'succeeded', reason: null, attempts: 1 },
  }),
} as const;

/** A name of the catalogue; it is the CloudEvents `type`. */
export type EventName = keyof typeof eventCatalogue;

/** The payload of an event. */
export type EventData<N extends EventName> = Static<(typeof eventCatalogue)[N]['data']>;

/** What an event of the hub is written from. Its key is its subject, so events of one thing stay in order. */
export type EventDraft = {
  [N in EventName]: {
    readonly name: N;
    readonly tenant: string;
    readonly subject: string;
    readonly data: EventData<N>;
    readonly actor?: string | undefined;
    readonly correlation?: string | undefined;
    readonly causation?: string | undefined;
  };
}[EventName];

export function isHubEvent(type: string): type is EventName {
  return Object.hasOwn(eventCatalogue, type);
}

/** Names an event's schema for good: `urn:linkspan:event:linkspan.call.ended:1`. */
export function schemaOf(name: EventName): string {
  return `urn:linkspan:event:${name}:${eventCatalogue[name].version}`;
}
