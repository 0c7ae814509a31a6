import { createHash } from 'node:crypto';
import { eventErrors } from '../errors.ts';
import type { CloudEvent } from '../event.ts';
import { canonicalName } from './names.ts';

/** An event as the services of an Open Integration Hub exchange it. */
export interface Envelope {
  readonly headers: {
    readonly name: string;
    /** Milliseconds since the epoch; some senders write ISO 8601. */
    readonly createdAt: number | string;
    readonly serviceName: string;
    readonly [header: string]: unknown;
  };
  readonly payload?: unknown;
}

/** To whom what comes from outside belongs: an envelope has no say in it. */
export interface Owner {
  readonly tenant: string;
  readonly actor?: string;
}

const TYPE = 'oih.';
const SOURCE = '/oih/';

/** The header that carries a CloudEvent through an Open Integration Hub and back. */
const CARRIED = 'cloudevent';

/** The extension attribute that keeps headers which do not follow from the other attributes. */
const HEADERS = 'oihheaders';

/**
 * The CloudEvent of an envelope. The same envelope gives the same id, so that one delivered twice is known as such; of
 * two spellings of a name its type has the right one. Nothing is lost: `toEnvelope` gives the envelope back as it was.
 *
 * Whoever publishes it decides first whether the type is one the sender may use. Fails with `envelope_invalid`.
 */
export function fromEnvelope(envelope: Envelope, owner: Owner): CloudEvent {
  const { headers } = checked(envelope);
  const data = 'payload' in envelope ? { data: envelope.payload } : {};
  const carried = headers[CARRIED];
  if (isEvent(carried)) return { ...carried, ...ownedBy(owner), ...data };
  const event: CloudEvent = {
    specversion: '1.0',
    id: idOf(envelope),
    source: `${SOURCE}${encodeURIComponent(headers.serviceName)}`,
    type: `${TYPE}${canonicalName(headers.name)}`,
    partitionkey: headers.serviceName,
    time: new Date(headers.createdAt).toISOString(),
    ...ownedBy(owner),
    datacontenttype: 'application/json',
    ...data,
  };
  return isSame(headersOf(event), headers) ? event : { ...event, [HEADERS]: JSON.stringify(headers) };
}

/** The envelope of an event: as it came, if it came as one. `fromEnvelope` gives the event back as it was. */
export function toEnvelope(event: CloudEvent): Envelope {
  const payload = 'data' in event ? { payload: event.data } : {};
  if (isForeign(event)) return { headers: headersOf(event), ...payload };
  const { data: _, ...attributes } = event;
  const headers = {
    name: event.type,
    createdAt: Date.parse(event.time),
    serviceName: 'linkspan',
    [CARRIED]: attributes,
  };
  return { headers, ...payload };
}

/** Whether the event came as an envelope. */
function isForeign({ type, source, id }: CloudEvent): boolean {
  return type.startsWith(TYPE) && source.startsWith(SOURCE) && id.startsWith(TYPE);
}

const REQUIRED = ['id', 'source', 'type', 'time', 'partitionkey'];

function isEvent(value: unknown): value is CloudEvent {
  const event = (value ?? {}) as Record<string, unknown>;
  return event['specversion'] === '1.0' && REQUIRED.every((name) => typeof event[name] === 'string');
}

function headersOf(event: CloudEvent): Envelope['headers'] {
  const kept = event[HEADERS];
  if (typeof kept === 'string') return JSON.parse(kept) as Envelope['headers'];
  return {
    name: event.type.slice(TYPE.length),
    createdAt: Date.parse(event.time),
    serviceName: decodeURIComponent(event.source.slice(SOURCE.length)),
  };
}

function checked(envelope: Envelope): Envelope {
  const headers = (envelope as Partial<Envelope>).headers as Partial<Envelope['headers']> | undefined;
  const { name, createdAt, serviceName } = headers ?? {};
  const timely = typeof createdAt === 'number' || typeof createdAt === 'string';
  if (!isText(name) || !isText(serviceName) || !timely || Number.isNaN(new Date(createdAt).getTime()))
    throw eventErrors.envelope_invalid();
  return envelope;
}

/** A lone surrogate can stand in no URI. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.isWellFormed();
}

function ownedBy({ tenant, actor }: Owner): Owner {
  return actor === undefined ? { tenant } : { tenant, actor };
}

function idOf(envelope: Envelope): string {
  return TYPE + createHash('sha256').update(canonical(envelope)).digest('base64url');
}

function isSame(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** JSON whose members are in one order, whatever order they came in. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(
          Object.entries(inner)
            .map(([name, member]): [string, unknown] => [`.${name}`, member]) // a name like 1 or __proto__ is one as any other
            .toSorted(([one], [other]) => (one < other ? -1 : 1)),
        )
      : inner,
  );
}
