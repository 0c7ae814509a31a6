import type { IncomingHttpHeaders } from 'node:http';
import { defineRoute, type Caller, type HubRoute } from '../access/index.ts';
import { eventErrors, openStream } from '../events/index.ts';
import { groupCommitErrors } from '../platform/group-commit/index.ts';
import { engineErrors } from './engine/index.ts';
import { callErrors } from './errors.ts';
import { keyOf } from './idempotency-key.ts';
import { listCalls } from './list.ts';
import * as lists from './list-schemas.ts';
import { mendingRoutes } from './mending-routes.ts';
import * as calls from './operations.ts';
import { outputOf } from './result.ts';
import * as schemas from './schemas.ts';

const READING = { none: 'Reading calls changes nothing.' };

/** What a call is answered with that ended otherwise than with an output. */
const ENDS = [callErrors.call_failed, callErrors.call_expired, callErrors.call_cancelled];

/** The routes of calls. */
export function callRoutes(ports: calls.CallPorts): HubRoute[] {
  return [...oneCall(ports), ...manyCalls(ports), ...mendingRoutes(ports)];
}

function oneCall(ports: calls.CallPorts): HubRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/calls',
      summary: 'Start a durable call of an action',
      description:
        'Answered once the call is on disk: from then on it ends exactly once, whatever stops in between. With an `Idempotency-Key` header a repeated request is the same call. With `wait` an end within so many seconds is the answer: the output, or the error of the call as a problem with the code of the action and the id of the call. Its status tells the class of the error: 422 permanent, 429 rate limited, 502 transient, 503 unavailable, 504 timeout or out of time, 409 cancelled.',
      tags: ['Calls'],
      access: 'calls:write',
      audit: 'call.accept',
      body: schemas.CallBody,
      replies: {
        200: { description: 'The call succeeded while it was waited for.', schema: schemas.Succeeded },
        202: { description: 'The call is accepted.', schema: schemas.Accepted },
      },
      errors: [
        callErrors.input_invalid,
        callErrors.idempotency_key_invalid,
        callErrors.idempotency_key_reused,
        ...ENDS,
        ...Object.values(engineErrors),
        ...Object.values(groupCommitErrors),
      ],
      async handle(asked) {
        const { wait = 0, ...body } = asked.body;
        const request = { ...body, ...keyOf(asked.headers) } as calls.CallRequest;
        const { here, ...started } = await calls.startCall(ports, asked.caller, asked.actor, request);
        const self = `/api/v1/calls/${started.id}`;
        const links = { self, result: `${self}/result`, cancel: `${self}/cancel` };
        const waited = { tenant: asked.caller.tenant, id: started.id, here };
        const end = wait > 0 ? await ports.ends.wait(waited, wait * 1000, asked.signal) : undefined;
        if (!end) return { status: 202, headers: { location: self }, body: { ...started, links } };
        const output = outputOf(end);
        return { status: 200, body: { ...started, links, output, context: end.context ?? null } };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/calls/:id',
      summary: 'Read a call with its attempts',
      tags: ['Calls'],
      access: 'calls:read',
      audit: READING,
      params: schemas.CallParams,
      replies: { 200: { description: 'The call.', schema: schemas.Call } },
      errors: [callErrors.call_not_found],
      async handle({ caller, params }) {
        const { call, attempts } = await calls.readCall(ports, caller, params.id);
        return { status: 200, body: schemas.shownCall(call, attempts) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/calls/:id/result',
      summary: 'Read the output of a call',
      description:
        'The output and nothing else. A call that did not succeed is answered with its error, as by `wait`.',
      tags: ['Calls'],
      access: 'calls:read',
      audit: READING,
      params: schemas.CallParams,
      replies: { 200: { description: 'The output.', schema: schemas.Result } },
      errors: [callErrors.call_not_found, callErrors.call_not_ended, ...ENDS],
      async handle({ caller, params }) {
        return { status: 200, body: outputOf(await calls.readEnd(ports, caller, params.id)) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/calls/:id/cancel',
      summary: 'Cancel a call that has not ended',
      description:
        'One that runs is asked to stop, and ends as cancelled when its attempt has; what the attempt did stays done.',
      tags: ['Calls'],
      access: 'calls:write',
      audit: 'call.cancel',
      params: schemas.CallParams,
      body: 'none',
      replies: { 202: { description: 'It is cancelled, or about to be.', schema: schemas.Cancelled } },
      errors: [callErrors.call_not_found, callErrors.call_ended],
      async handle({ caller, actor, params }) {
        const state = await calls.cancelCall(ports, caller, actor, params.id);
        return {
          status: 202,
          body: { id: params.id, state: state === 'cancelled' ? 'cancelled' : 'cancelling' },
        };
      },
    }),
  ];
}

function manyCalls(ports: calls.CallPorts): HubRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/calls',
      summary: 'List calls',
      description: 'The newest first, unfinished and ended ones, without input and output.',
      tags: ['Calls'],
      access: 'calls:read',
      audit: READING,
      query: lists.CallQuery,
      replies: { 200: { description: 'A page of calls.', schema: lists.CallPage } },
      errors: [callErrors.period_empty],
      async handle({ caller, query: { limit = lists.DEFAULT_LIMIT, ...filter } }) {
        const page = await listCalls(ports, caller, lists.filterOf(filter), limit);
        return { status: 200, body: { items: page.calls.map(lists.listedCall), next: page.next } };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/calls/events',
      summary: 'Follow the calls of your tenant',
      description:
        'The stream of `GET /api/v1/events` with what happens to calls alone: that they are held, that they have ended.',
      tags: ['Calls'],
      access: 'calls:read',
      audit: READING,
      query: lists.FollowQuery,
      replies: { 200: { description: 'The stream.', media: 'text/event-stream' } },
      errors: [eventErrors.event_position_invalid, eventErrors.event_position_expired],
      handle: (asked) => follow(ports, asked, {}),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/calls/:id/events',
      summary: 'Follow a call',
      description:
        'As for all calls. Without a position it begins with what happens from now on: read the call when the stream is open, and nothing of it is missed.',
      tags: ['Calls'],
      access: 'calls:read',
      audit: READING,
      params: schemas.CallParams,
      query: lists.FollowQuery,
      replies: { 200: { description: 'The stream.', media: 'text/event-stream' } },
      errors: [
        callErrors.call_not_found,
        eventErrors.event_position_invalid,
        eventErrors.event_position_expired,
      ],
      async handle(asked) {
        const { call } = await calls.readCall(ports, asked.caller, asked.params.id);
        return follow(ports, asked, { subject: call.id });
      },
    }),
  ];
}

interface Following {
  readonly caller: Caller;
  readonly query: { readonly after?: string };
  readonly headers: IncomingHttpHeaders;
  readonly signal: AbortSignal;
}

async function follow({ events }: calls.CallPorts, asked: Following, about: { subject?: string }) {
  const last = asked.headers['last-event-id'];
  const stream = await openStream(events, asked.caller, {
    after: typeof last === 'string' ? last : asked.query.after,
    filter: { type: 'linkspan.call', ...about },
    signal: asked.signal,
  });
  return { status: 200 as const, headers: { 'x-accel-buffering': 'no' }, body: stream };
}
