import { defineRoute, type HubRoute } from '../access/index.ts';
import { groupCommitErrors } from '../platform/group-commit/index.ts';
import { engineErrors } from './engine/index.ts';
import { callErrors } from './errors.ts';
import * as calls from './operations.ts';
import * as schemas from './schemas.ts';

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** The routes of calls. */
export function callRoutes(ports: calls.CallPorts): HubRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/calls',
      summary: 'Start a durable call of an action',
      description:
        'Answered once the call is on disk: from then on it ends exactly once, whatever stops in between. With an `Idempotency-Key` header a repeated request is the same call.',
      tags: ['Calls'],
      access: 'calls:write',
      audit: 'call.accept',
      body: schemas.CallBody,
      replies: { 202: { description: 'The call is accepted.', schema: schemas.Accepted } },
      errors: [
        callErrors.input_invalid,
        callErrors.idempotency_key_invalid,
        callErrors.idempotency_key_reused,
        ...Object.values(engineErrors),
        ...Object.values(groupCommitErrors),
      ],
      async handle({ caller, actor, body, headers }) {
        const key = headers['idempotency-key'];
        if (key !== undefined && !(typeof key === 'string' && IDEMPOTENCY_KEY.test(key)))
          throw callErrors.idempotency_key_invalid();
        const request = {
          ...body,
          ...(typeof key === 'string' && { idempotencyKey: key }),
        } as calls.CallRequest;
        const { id, joined } = await calls.startCall(ports, caller, actor, request);
        const self = `/api/v1/calls/${id}`;
        return {
          status: 202,
          headers: { location: self },
          body: { id, joined, links: { self, cancel: `${self}/cancel` } },
        };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/calls/:id',
      summary: 'Read a call with its attempts',
      tags: ['Calls'],
      access: 'calls:read',
      audit: { none: 'Reading a call changes nothing.' },
      params: schemas.CallParams,
      replies: { 200: { description: 'The call.', schema: schemas.Call } },
      errors: [callErrors.call_not_found],
      async handle({ caller, params }) {
        const { call, attempts } = await calls.readCall(ports, caller, params.id);
        return { status: 200, body: schemas.shownCall(call, attempts) };
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
