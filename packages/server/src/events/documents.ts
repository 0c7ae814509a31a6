import { Type } from 'typebox';
import { eventCatalogue, schemaOf, type EventKind, type EventName } from './catalogue.ts';
import { EventBody } from './schemas.ts';
import { HUB_SOURCE } from './event.ts';

/** What is drawn from the catalogue of events. */

const kinds = Object.entries(eventCatalogue) as [EventName, EventKind][];

/** `docs/events.md`. */
export function eventsPage(): string {
  return [
    '<!-- Written by `npm run generate`. Do not edit. -->',
    '# Events',
    `Everything the hub tells of itself. Events are CloudEvents 1.0 records: read them as a stream with
\`GET /api/v1/events\`, publish your own, of types that begin with \`app.\`, with \`POST /api/v1/events\`. Delivery is at
least once: what comes twice has the same id. Events about one subject stay in order.`,
    '| event | version | about | written when |',
    '| --- | --- | --- | --- |',
    ...kinds.map(
      ([name, { version, subject, when }]) => `| \`${name}\` | ${version} | ${subject} | ${when} |`,
    ),
    '## Attributes beside those of CloudEvents',
    `| attribute | is |
| --- | --- |
| \`tenant\` | the id of the tenant it belongs to |
| \`actor\` | the id of the principal that caused it |
| \`correlation\` | what belongs together: the run of a call, or what its publisher says |
| \`causation\` | the id of what led to it |
| \`partitionkey\` | events of one key stay in order; for the hub's own it is the subject |`,
    ...kinds.map(([name, kind]) => section(name, kind)),
    '',
  ]
    .join('\n\n')
    .replaceAll('|\n\n|', '|\n|');
}

function section(name: EventName, { data, example }: EventKind): string {
  return [`## ${name}`, fenced(data), 'For example:', fenced(example)].join('\n\n');
}

function fenced(value: unknown): string {
  return ['```json', JSON.stringify(value, null, 2), '```'].join('\n');
}

const text = (description: string) => Type.String({ description });

/** What all events of the hub have in common. */
const Envelope = Type.Object({
  specversion: Type.Literal('1.0'),
  id: text('Tells this event from every other of its source.'),
  source: Type.Literal(HUB_SOURCE),
  type: text('Name of the event.'),
  time: Type.String({ format: 'date-time' }),
  subject: text('Id of what it is about.'),
  partitionkey: text('Events of one key stay in order.'),
  tenant: Type.String({ format: 'uuid' }),
  actor: Type.Optional(text('Id of the principal that caused it.')),
  correlation: Type.Optional(text('What belongs together.')),
  causation: Type.Optional(text('Id of what led to it.')),
  datacontenttype: Type.Literal('application/json'),
  dataschema: text('Name and version of the schema of its data.'),
});

const ref = (path: string) => ({ $ref: `#/${path}` });

/** The AsyncAPI 3 document of this version. */
export function asyncApiDocument(version: string): Readonly<Record<string, unknown>> {
  const messages = Object.fromEntries(kinds.map(([name, kind]) => [name, messageOf(name, kind)]));
  return {
    asyncapi: '3.0.0',
    info: { title: 'Linkspan', version, license: { name: 'Apache-2.0' } },
    defaultContentType: 'application/json',
    channels: {
      events: {
        address: '/api/v1/events',
        description: 'Server-sent events; each message is one CloudEvent, and its id is its position.',
        messages: Object.fromEntries(kinds.map(([name]) => [name, ref(`components/messages/${name}`)])),
      },
      published: {
        address: '/api/v1/events',
        description: 'One CloudEvent for each request.',
        messages: { app: ref('components/messages/app') },
      },
    },
    operations: {
      follow: {
        action: 'send',
        channel: ref('channels/events'),
        summary: 'The hub tells what happened.',
        messages: kinds.map(([name]) => ref(`channels/events/messages/${name}`)),
      },
      publish: {
        action: 'receive',
        channel: ref('channels/published'),
        summary: 'The hub takes an event of your own.',
        messages: [ref('channels/published/messages/app')],
      },
    },
    components: {
      messages: {
        ...messages,
        app: {
          name: 'app',
          summary: 'An event of your own, of a type that begins with `app.`.',
          payload: EventBody,
        },
      },
      schemas: { event: Envelope },
    },
  };
}

function messageOf(name: EventName, { when, data, example, version }: EventKind) {
  const properties = {
    type: { const: name },
    dataschema: { const: schemaOf(name) },
    data,
  };
  return {
    name,
    summary: when,
    'x-version': version,
    payload: {
      allOf: [{ $ref: '#/components/schemas/event' }, { type: 'object', properties, required: ['data'] }],
    },
    examples: [{ payload: { type: name, data: example } }],
  };
}
