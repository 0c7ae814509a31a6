import { createHash } from 'node:crypto';
import type { Caller } from '../access/index.ts';
import { recordAudit, type Actor } from '../audit/index.ts';
import { HubError } from '../platform/errors.ts';
import { retentionOf, type EndState, type Retention } from './engine/index.ts';
import { callErrors } from './errors.ts';
import type { CallFilter } from './filter.ts';
import { listCalls } from './list.ts';
import { startCall, type CallPorts, type CallRequest } from './operations.ts';
import { openSecrets } from './secret-input.ts';
import * as store from './store.ts';

/**
 * Doing ended calls again. Each redrive is a new call that names the old one, with the input it had; ended stays
 * final. First it is counted, then confirmed by the count and the digest of what was counted.
 */

export interface RedriveRequest {
  readonly ids?: readonly string[];
  readonly filter?: CallFilter & { readonly state?: EndState };
  /** Instead of the input it had; for one id only. */
  readonly input?: unknown;
}

/** What would be redriven. */
export interface RedrivePlan {
  readonly ids: string[];
  /** Of the ids and the edited input. */
  readonly digest: string;
  /** `after` for what the filter lets through beyond this request; null when that is nothing. */
  readonly next: string | null;
}

export interface Redriven {
  readonly of: string;
  /** The new call; null when it could not be started. */
  readonly id: string | null;
  readonly problem: { readonly code: string; readonly detail: string } | null;
}

/** Calls of one request at most. */
const MOST_REDRIVES = 1_000;

/** Pages of a filter that one request goes through. */
const MOST_PAGES = 20;

/** Calls read and started at a time: their inputs are in memory. */
const AT_A_TIME = 50;

/**
 * Counts what would be redriven; changes nothing.
 * Fails with `redrive_invalid`, `call_not_found`, `redrive_not_ended`, `input_invalid`, `action_not_found`, `period_empty`.
 */
export async function planRedrive(
  ports: CallPorts,
  caller: Caller,
  request: RedriveRequest,
): Promise<RedrivePlan> {
  const { ids, filter, input } = request;
  if ((ids === undefined) === (filter === undefined))
    throw callErrors.redrive_invalid({ detail: 'It names both ids and a filter, or neither.' });
  if (input !== undefined && ids?.length !== 1)
    throw callErrors.redrive_invalid({ detail: 'An input is for one id only.' });
  const found = ids ? await checkedIds(ports, caller, ids) : await filtered(ports, caller, filter!);
  if (input !== undefined) await checkInput(ports, caller, found.ids, input);
  const digest = createHash('sha256')
    .update(JSON.stringify([found.ids, input]))
    .digest('base64url');
  return { ...found, digest };
}

/** Notes that somebody looked what a redrive would be. */
export function notePlan({ database }: CallPorts, actor: Actor, { ids }: RedrivePlan): Promise<void> {
  return database.asTenant(actor.tenant, (tx) =>
    recordAudit(tx, actor, { name: 'call.redrive', changes: { count: ids.length, dryRun: true } }),
  );
}

/**
 * Redrives what was planned. With an idempotency key a repeated request starts no call twice.
 * Fails with `redrive_changed`; a call that cannot be started stands in the answer with its problem.
 */
export async function redrive(
  ports: CallPorts,
  caller: Caller,
  actor: Actor,
  request: RedriveRequest & { readonly idempotencyKey?: string },
  confirmed: { readonly count: number; readonly digest: string },
): Promise<{ plan: RedrivePlan; calls: Redriven[] }> {
  const plan = await planRedrive(ports, caller, request);
  const { ids, digest } = plan;
  if (ids.length !== confirmed.count || digest !== confirmed.digest)
    throw callErrors.redrive_changed({ detail: `It would be ${ids.length} calls.` });
  await ports.database.asTenant(caller.tenant, (tx) =>
    recordAudit(tx, actor, { name: 'call.redrive', changes: { count: ids.length, digest } }),
  );
  const calls: Redriven[] = [];
  for (let from = 0; from < ids.length; from += AT_A_TIME) {
    const some = ids.slice(from, from + AT_A_TIME);
    calls.push(...(await redriveSome(ports, caller, actor, some, request)));
  }
  return { plan, calls };
}

async function checkedIds({ database }: CallPorts, { tenant }: Caller, given: readonly string[]) {
  const ids = given.map((id) => id.toLowerCase());
  const states = await database.asTenant(tenant, (tx) => store.readStates(tx, tenant, ids));
  const unknown = ids.filter((id) => !states.has(id));
  if (unknown.length > 0) throw callErrors.call_not_found({ detail: named(unknown) });
  const open = ids.filter((id) => !states.get(id)?.ended);
  if (open.length > 0) throw callErrors.redrive_not_ended({ detail: named(open) });
  return { ids, next: null };
}

function named(ids: readonly string[]): string {
  const more = ids.length > 5 ? ` and ${ids.length - 5} more` : '';
  return `${ids.slice(0, 5).join(', ')}${more}.`;
}

async function filtered(
  ports: CallPorts,
  caller: Caller,
  filter: CallFilter,
): Promise<{ ids: string[]; next: string | null }> {
  const ids: string[] = [];
  let next = filter.after ?? null;
  for (let page = 0; page < MOST_PAGES; page++) {
    const from = { state: 'failed' as const, ...filter, ...(next !== null && { after: next }) };
    const found = await listCalls(ports, caller, from, MOST_REDRIVES - ids.length);
    ids.push(...found.calls.map(({ id }) => id));
    next = found.next;
    if (next === null || ids.length === MOST_REDRIVES) break;
  }
  return { ids, next };
}

async function checkInput(
  { database, action }: CallPorts,
  { tenant }: Caller,
  ids: readonly string[],
  input: unknown,
): Promise<void> {
  const [past] = await database.asTenant(tenant, (tx) => store.readPast(tx, tenant, ids));
  const faults = past ? action(past.action).check(input) : [];
  if (faults.length > 0) throw callErrors.input_invalid({ faults });
}

async function redriveSome(
  ports: CallPorts,
  caller: Caller,
  actor: Actor,
  ids: readonly string[],
  request: RedriveRequest & { readonly idempotencyKey?: string },
): Promise<Redriven[]> {
  const past = await ports.database.asTenant(caller.tenant, (tx) => store.readPast(tx, caller.tenant, ids));
  return Promise.all(
    past.map(async (call): Promise<Redriven> => {
      try {
        const again = await requestOf(ports, caller, call, request);
        return { of: call.id, id: (await startCall(ports, caller, actor, again)).id, problem: null };
      } catch (error) {
        if (!(error instanceof HubError)) throw error;
        return { of: call.id, id: null, problem: { code: error.code, detail: error.message } };
      }
    }),
  );
}

const RETENTIONS: readonly Retention[] = ['brief', 'standard', 'long'];

/** A past call as it would be asked for now. An edited input brings its own secrets: it gets none of the old ones. */
async function requestOf(
  { sealer }: CallPorts,
  { tenant }: Caller,
  { id, action, input, details, deadline }: store.PastCall,
  request: RedriveRequest & { readonly idempotencyKey?: string },
): Promise<CallRequest> {
  const { policy, context, sealed } = details;
  const old = async () =>
    sealed === undefined ? JSON.parse(input) : openSecrets(sealer, { tenant, id }, { input, sealed });
  return {
    action,
    input: request.input === undefined ? await old() : request.input,
    retention: RETENTIONS[retentionOf(id) - 1] ?? 'standard',
    redriveOf: id,
    ...(policy && { policy }),
    ...(context !== undefined && { context }),
    ...(deadline !== null && { deadline: Math.max(1, Math.round(deadline)) }),
    // Keys of requests hold no blank: none of them is the key of a redrive.
    ...(request.idempotencyKey !== undefined && {
      idempotencyKey: `redrive ${request.idempotencyKey} ${id}`,
    }),
  };
}
