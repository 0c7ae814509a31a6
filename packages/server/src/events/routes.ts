import { defineRoute, type HubRoute } from '../access/index.ts';
import { eventErrors } from './errors.ts';
import * as events from './operations.ts';
import * as schemas from './schemas.ts';

/** Bytes. More than this travels by reference. */
const EVENT_LIMIT = 65_536;

/** The routes of events and their consumers. */
export function eventRoutes(ports: events.EventPorts): HubRoute[] {
  return [...streamRoutes(ports), ...consumerRoutes(ports)];
}

function streamRoutes(ports: events.EventPorts): HubRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/events',
      summary: 'Publish an event',
      description:
        'A CloudEvents 1.0 record in its JSON form, of a type that begins with `app.`. Answered once it is on disk. Sent twice with the same id and source it is there twice: readers know it by these two.',
      tags: ['Events'],
      access: 'events:publish',
      audit: 'event.publish',
      body: schemas.EventBody,
      bodyLimit: EVENT_LIMIT,
      replies: { 201: { description: 'The event is kept.', schema: schemas.Event } },
      errors: [eventErrors.event_type_refused, eventErrors.event_refused],
      async handle({ caller, actor, body }) {
        const { id, type, time } = await events.publishEvent(ports, caller, actor, body as events.Published);
        return { status: 201, body: { id, type, time } };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/events',
      summary: 'Follow the events of your tenant',
      description:
        'Server-sent events without end: each message is one CloudEvent, and its id is its position. With the last id in `Last-Event-ID` (or `after`) the stream goes on behind it, without gap and without repetition; without one it begins with what happens from now on. A message `closed` says why the hub ends a stream: come back with the last id.',
      tags: ['Events'],
      access: 'events:read',
      audit: { none: 'Reading events changes nothing.' },
      query: schemas.StreamQuery,
      replies: { 200: { description: 'The stream.', media: 'text/event-stream' } },
      errors: [eventErrors.event_position_invalid, eventErrors.event_position_expired],
      async handle({ caller, query, headers, signal }) {
        const { after, ...filter } = query;
        const last = headers['last-event-id'];
        const stream = await events.openStream(ports, caller, {
          after: typeof last === 'string' ? last : after,
          filter,
          signal,
        });
        return { status: 200, headers: { 'x-accel-buffering': 'no' }, body: stream };
      },
    }),
  ];
}

function consumerRoutes(ports: events.EventPorts): HubRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/consumers',
      summary: 'Show how far the consumers of events are',
      description: 'Their lag, what they put aside or gave up, and what blocks them. They serve all tenants.',
      tags: ['Events'],
      access: 'consumers:read',
      audit: { none: 'Reading a list changes nothing.' },
      replies: { 200: { description: 'Every consumer.', schema: schemas.ConsumerList } },
      async handle() {
        const states = await events.listConsumers(ports);
        return { status: 200, body: { items: states.map(schemas.shownConsumer) } };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/consumers/:name/seek',
      summary: 'Move a consumer to another place in the log',
      description:
        'What lies behind that place it is given again, or for the first time; what it skips it never sees.',
      tags: ['Events'],
      access: 'consumers:write',
      audit: 'consumer.seek',
      params: schemas.ConsumerParams,
      body: schemas.SeekBody,
      replies: { 204: { description: 'It is moved.', empty: true } },
      errors: [eventErrors.consumer_not_found, eventErrors.event_position_invalid],
      async handle({ actor, params, body }) {
        await events.seekConsumer(ports, actor, params.name, schemas.seekTarget(body));
        return { status: 204 };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/consumers/:name/replay',
      summary: 'Try again what a consumer gave up',
      description: 'A dry run unless the body says otherwise: it tells how many events that would be.',
      tags: ['Events'],
      access: 'consumers:write',
      audit: 'consumer.replay',
      params: schemas.ConsumerParams,
      body: schemas.ReplayBody,
      replies: { 200: { description: 'How many events.', schema: schemas.Replayed } },
      errors: [eventErrors.consumer_not_found],
      async handle({ actor, params, body: { dryRun = true, limit = 1_000, code } }) {
        const which = { dryRun, limit, ...(code !== undefined && { code }) };
        const count = await events.replayDead(ports, actor, params.name, which);
        return { status: 200, body: { count, dryRun } };
      },
    }),
  ];
}
