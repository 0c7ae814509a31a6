import { defineRoute, type HubRoute } from '../../access/index.ts';
import { raw, type Method } from '../../platform/http/index.ts';
import { callErrors } from '../errors.ts';
import { STATUSES } from './answer.ts';
import { LARGEST_BODY } from './callback.ts';
import { callbackErrors } from './errors.ts';
import * as callbacks from './operations.ts';
import * as schemas from './schemas.ts';

const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

const DEFAULT_LIMIT = 50;

/** The routes of callbacks: where they arrive, and what is shown of them. */
export function callbackRoutes(ports: callbacks.CallbackPorts): HubRoute[] {
  return [...METHODS.map((method) => arrival(ports, method)), ...apiRoutes(ports)];
}

/** Where a callback arrives. Whatever is said there is stored raw and read by nobody but its handler. */
function arrival(ports: callbacks.CallbackPorts, method: Method): HubRoute {
  return {
    method,
    path: '/cb/:token',
    summary: 'Use a callback',
    description:
      'Stored before anything is done with it. The same request again is the same delivery, and gets the same answer.',
    tags: ['Callbacks'],
    access: { public: 'The address itself is the secret: signed, bound to one call, and it expires.' },
    audit: { none: 'A delivery is kept with its call; one that is refused leaves an entry.' },
    params: schemas.TokenParams,
    openQuery: true,
    ...(method !== 'GET' && method !== 'DELETE' && { body: raw({ limit: LARGEST_BODY }) }),
    replies: Object.fromEntries(
      STATUSES.map((status) => [
        status,
        {
          description: 'What the handler of the callback answers; a receipt unless it says otherwise.',
          media: 'application/json',
        },
      ]),
    ),
    errors: [
      callbackErrors.callback_unknown,
      callbackErrors.callback_over,
      callbackErrors.callback_unverified,
      callbackErrors.callback_full,
      callbackErrors.callback_unsettled,
    ],
    async handle(request) {
      // Previews and scanners ask like this; it is no use of a callback.
      if (request.method === 'HEAD') return { status: 204, body: '' };
      const { token } = request.params as { token: string };
      const { rawQuery: query, headers, address, requestId } = request;
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      return ports.reception.receive({
        token,
        method: request.method,
        query,
        headers,
        body,
        address,
        requestId,
      });
    },
  };
}

function apiRoutes(ports: callbacks.CallbackPorts): HubRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/calls/:id/callbacks',
      summary: 'Read the callbacks of a call with their addresses',
      description: 'An address is the right to continue the call, so this asks for what starts calls.',
      tags: ['Callbacks'],
      access: 'calls:write',
      audit: { none: 'Reading addresses changes nothing; using one leaves a delivery.' },
      params: schemas.CallParams,
      replies: { 200: { description: 'Its callbacks, by name.', schema: schemas.Callbacks } },
      errors: [callErrors.call_not_found],
      async handle({ caller, params }) {
        return {
          status: 200,
          body: schemas.shownCallbacks(await callbacks.listCallbacks(ports, caller, params.id)),
        };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/calls/:id/deliveries',
      summary: 'List what came to the callbacks of a call',
      tags: ['Callbacks'],
      access: 'calls:read',
      audit: { none: 'Reading deliveries changes nothing.' },
      params: schemas.CallParams,
      query: schemas.DeliveryPage,
      replies: { 200: { description: 'Deliveries in the order they came.', schema: schemas.Deliveries } },
      errors: [callErrors.call_not_found],
      async handle({ caller, params, query: { after, limit = DEFAULT_LIMIT } }) {
        const found = await callbacks.listDeliveries(ports, caller, params.id, { after, limit });
        return { status: 200, body: schemas.shownDeliveries(found, limit) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/calls/:id/deliveries/:delivery/replay',
      summary: 'Hand a stored delivery to its handler again',
      description:
        'With the very bytes that came, for a call that has not ended. Nobody outside hears the answer.',
      tags: ['Callbacks'],
      access: 'calls:write',
      audit: 'callback.replay',
      params: schemas.DeliveryParams,
      body: 'none',
      replies: { 200: { description: 'It was handed in; the state it has now.', schema: schemas.Replayed } },
      errors: [
        callErrors.call_not_found,
        callErrors.call_ended,
        callbackErrors.delivery_not_found,
        callbackErrors.callback_unsettled,
      ],
      async handle({ caller, actor, params: { id, delivery } }) {
        return {
          status: 200,
          body: { id: delivery, state: await callbacks.replay(ports, caller, actor, { call: id, delivery }) },
        };
      },
    }),
  ];
}
