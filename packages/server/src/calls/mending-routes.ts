import { defineRoute, type HubRoute } from '../access/index.ts';
import { callErrors } from './errors.ts';
import { answerHeld, listHeld, type Decision } from './held.ts';
import { keyOf } from './idempotency-key.ts';
import * as lists from './list-schemas.ts';
import type { CallPorts } from './operations.ts';
import { notePlan, planRedrive, redrive, type RedrivePlan, type RedriveRequest } from './redrive.ts';
import * as shapes from './redrive-schemas.ts';
import { CallParams } from './schemas.ts';

const READING = { none: 'Reading calls changes nothing.' };

/** The routes by which people mend what did not end well. */
export function mendingRoutes(ports: CallPorts): HubRoute[] {
  return [...heldRoutes(ports), ...redriveRoutes(ports)];
}

function heldRoutes(ports: CallPorts): HubRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/held',
      summary: 'List calls that wait for a person',
      description: 'The newest first, each with the error of its last attempt.',
      tags: ['Calls'],
      access: 'calls:read',
      audit: READING,
      query: lists.HeldQuery,
      replies: { 200: { description: 'A page of held calls.', schema: lists.HeldPage } },
      async handle({ caller, query: { after, limit = lists.DEFAULT_LIMIT } }) {
        const found = await listHeld(ports, caller, { after, limit: limit + 1 });
        const items = found.slice(0, limit).map(lists.heldCall);
        return {
          status: 200,
          body: { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null },
        };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/held/:id',
      summary: 'Answer a call that waits for a person',
      description: 'Has it tried again, failed, or succeeded with an output. The first answer counts.',
      tags: ['Calls'],
      access: 'calls:resolve',
      audit: 'call.resolve',
      params: CallParams,
      body: shapes.HeldAnswer,
      replies: { 204: { description: 'The call goes on, or has ended.', empty: true } },
      errors: [callErrors.call_not_found, callErrors.call_not_held],
      async handle({ caller, actor, params, body }) {
        await answerHeld(ports, caller, actor, params.id, body as Decision);
        return { status: 204 };
      },
    }),
  ];
}

function redriveRoutes(ports: CallPorts): HubRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/redrives',
      summary: 'Do ended calls again',
      description:
        'Without `confirm` it only counts. Confirmed with the count and the digest, it starts a new call for each, with the input the old one had, its secrets included; 1000 at most. A call that cannot be started stands in the answer with its problem. With an `Idempotency-Key` header a repeated request starts no call twice.',
      tags: ['Calls'],
      access: 'calls:write',
      audit: 'call.redrive',
      body: shapes.RedriveBody,
      replies: {
        200: { description: 'What would be redriven.', schema: shapes.RedrivePlan },
        202: { description: 'The new calls are accepted.', schema: shapes.Redriven },
      },
      errors: [
        callErrors.redrive_invalid,
        callErrors.redrive_not_ended,
        callErrors.redrive_changed,
        callErrors.call_not_found,
        callErrors.input_invalid,
        callErrors.idempotency_key_invalid,
        callErrors.period_empty,
      ],
      async handle({ caller, actor, body, headers }) {
        const { confirm, filter, ...rest } = body;
        const wanted = {
          ...rest,
          ...(filter && { filter: lists.filterOf(filter) }),
          ...keyOf(headers),
        } as RedriveRequest;
        if (confirm) {
          const done = await redrive(ports, caller, actor, wanted, confirm);
          return { status: 202, body: { ...shownPlan(done.plan), calls: done.calls } };
        }
        const plan = await planRedrive(ports, caller, wanted);
        await notePlan(ports, actor, plan);
        return { status: 200, body: { ...shownPlan(plan), ids: plan.ids } };
      },
    }),
  ];
}

function shownPlan({ ids, digest, next }: RedrivePlan) {
  return { count: ids.length, digest, next };
}
