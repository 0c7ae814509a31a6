import { createHash } from 'node:crypto';
import { recordAudit, type Actor } from '../audit/index.ts';
import type { Caller } from '../access/index.ts';
import type { EventPorts } from '../events/index.ts';
import type { Database } from '../platform/database/index.ts';
import type { Fault } from '../platform/errors.ts';
import type { Sealer } from '../platform/seal/index.ts';
import { isEnd, newCallId, retentionOf, type CallState, type Engine, type NewCall } from './engine/index.ts';
import type { Ends } from './ends.ts';
import { callErrors } from './errors.ts';
import type { End } from './result.ts';
import { sealSecrets } from './secret-input.ts';
import * as store from './store.ts';

/** What a call needs to know of its action. Fails with the catalog's error when there is no such action. */
export interface ActionPort {
  (id: string): {
    check(input: unknown): readonly Fault[];
    target(input: unknown): string;
    readonly secretPaths: readonly string[];
  };
}

/** What the call API needs of the hub. */
export interface CallPorts {
  readonly database: Database;
  readonly engine: Engine;
  readonly action: ActionPort;
  readonly sealer: Sealer;
  readonly ends: Pick<Ends, 'wait'>;
  readonly events: EventPorts;
  /** The run that a call of the API begins, if it begins one. Given by composition. */
  readonly placeOf?: (caller: Caller, request: CallRequest) => NewCall['place'];
}

export interface CallRequest extends Pick<
  NewCall,
  'policy' | 'context' | 'delay' | 'deadline' | 'retention' | 'redriveOf'
> {
  readonly action: string;
  readonly input: unknown;
  readonly job?: NewCall['job'];
  readonly idempotencyKey?: string;
}

/** A call that was accepted. */
export interface Started {
  readonly id: string;
  /** It had been accepted before, under the same key. */
  readonly joined: boolean;
  /** It runs on this node. */
  readonly here: boolean;
}

/** Milliseconds an idempotency key is remembered. */
const KEY_LIFE = 24 * 3_600_000;

/**
 * Accepts a call; it is on disk when this resolves.
 *
 * Fails with the catalog's `action_not_found`, `input_invalid`, `idempotency_key_reused`, and the errors of the engine.
 */
export async function startCall(
  ports: CallPorts,
  caller: Caller,
  actor: Actor,
  request: CallRequest,
): Promise<Started> {
  const action = ports.action(request.action);
  const faults = action.check(request.input);
  if (faults.length > 0) throw callErrors.input_invalid({ faults });
  const call = newCall(caller, actor, request, ports.placeOf?.(caller, request));
  const stored = await sealSecrets(ports.sealer, call, request.input, action.secretPaths);
  const { id, result } = await ports.engine.accept({
    ...call,
    target: action.target(request.input),
    input: JSON.stringify(stored.input),
    ...(stored.sealed !== undefined && { sealed: stored.sealed }),
  });
  actor.noted?.('call.accept');
  if (result.kind !== 'joined')
    return { id, joined: false, here: result.kind === 'accepted' && result.state === 'running' };
  if (!result.same) throw callErrors.idempotency_key_reused();
  return { id: result.other, joined: true, here: false };
}

/** The call of a request, as far as it does not depend on its input. */
function newCall(caller: Caller, actor: Actor, request: CallRequest, place: NewCall['place']) {
  const { input, job, idempotencyKey, ...rest } = request;
  const { requestId, token, address } = actor;
  return {
    ...rest,
    id: newCallId(request.retention),
    tenant: caller.tenant,
    principal: caller.principal,
    ...(place && { place }),
    ...(job && { job: { ...job, key: jobKey(caller.tenant, job.key) } }),
    ...(idempotencyKey !== undefined && {
      once: {
        key: digest(idempotencyKey),
        // The key, kept nowhere in clear, is in it so that the digest tells nothing of a secret in the body.
        body: digest(`${idempotencyKey} ${JSON.stringify({ ...rest, input, job })}`),
        life: KEY_LIFE,
      },
    }),
    asked: { request: requestId ?? '', ...(token && { token }), ...(address && { address }) },
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Keys of jobs are any text; the engine's are digests in the shape of a UUID, apart for each tenant. */
function jobKey(tenant: string, key: string): string {
  const hex = digest(`${tenant} ${key}`).toString('hex');
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** A call of the caller's tenant with its attempts. Fails with `call_not_found`. */
export function readCall(
  ports: CallPorts,
  { tenant }: Caller,
  id: string,
): Promise<{ call: store.StoredCall; attempts: store.StoredAttempt[] }> {
  return ports.database.asTenant(tenant, async (tx) => {
    const found = retentionOf(id) === 0 ? undefined : await store.readCall(tx, tenant, id);
    if (!found) throw callErrors.call_not_found();
    return found;
  });
}

/** How a call of the caller's tenant ended. Fails with `call_not_found`, `call_not_ended`. */
export async function readEnd(ports: CallPorts, caller: Caller, id: string): Promise<End> {
  const { tenant } = caller;
  const end = await ports.database.asTenant(tenant, (tx) => store.readEnd(tx, tenant, id));
  if (end) return end;
  const { call } = await readCall(ports, caller, id);
  throw callErrors.call_not_ended({
    detail: `It is ${call.state === 'continuing' ? 'running' : call.state}.`,
  });
}

/** Cancels a call. Fails with `call_not_found`, `call_ended`. */
export async function cancelCall(
  ports: CallPorts,
  caller: Caller,
  actor: Actor,
  id: string,
): Promise<CallState> {
  const { call } = await readCall(ports, caller, id);
  if (isEnd(call.state)) throw callErrors.call_ended({ detail: `It ended as ${call.state}.` });
  await ports.database.asTenant(caller.tenant, (tx) =>
    recordAudit(tx, actor, { name: 'call.cancel', target: id, changes: { state: call.state } }),
  );
  const state = await ports.engine.cancel(caller.tenant, id);
  if (state === undefined) throw callErrors.call_ended();
  return state;
}
