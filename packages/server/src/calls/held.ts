import type { Caller } from '../access/index.ts';
import { recordAudit, type Actor } from '../audit/index.ts';
import type { Answer } from './engine/index.ts';
import { callErrors } from './errors.ts';
import { readCall, type CallPorts } from './operations.ts';
import * as store from './store.ts';

/** Calls that wait for a person: what came of them is unknown, or nobody may try them again by himself. */

/** What a person decides. */
export type Decision =
  | { readonly answer: 'retry' }
  | { readonly answer: 'fail'; readonly code: string; readonly message: string }
  | { readonly answer: 'resolve'; readonly output: unknown };

/** Held calls of the caller's tenant, the newest first. */
export function listHeld(
  { database }: CallPorts,
  { tenant }: Caller,
  page: { after: string | undefined; limit: number },
): Promise<store.HeldCall[]> {
  return database.asTenant(tenant, (tx) => store.listHeld(tx, tenant, page));
}

/** Answers a held call; of several answers the first one counts. Fails with `call_not_found`, `call_not_held`. */
export async function answerHeld(
  ports: CallPorts,
  caller: Caller,
  actor: Actor,
  id: string,
  decision: Decision,
): Promise<void> {
  const { call } = await readCall(ports, caller, id);
  if (call.state !== 'held') throw callErrors.call_not_held({ detail: `It is ${call.state}.` });
  const { answer } = decision;
  const note = (more: object) =>
    ports.database.asTenant(caller.tenant, (tx) =>
      recordAudit(tx, actor, { name: 'call.resolve', target: id, changes: { answer }, ...more }),
    );
  await note({});
  if (await ports.engine.answer(caller.tenant, id, 'held', answerOf(decision))) return;
  await note({ outcome: 'refused' });
  throw callErrors.call_not_held({ detail: 'Another answer, or its end, came first.' });
}

function answerOf(decision: Decision): Answer {
  if (decision.answer === 'retry') return { kind: 'retry' };
  if (decision.answer === 'resolve') return { kind: 'succeeded', output: JSON.stringify(decision.output) };
  const { code, message } = decision;
  return { kind: 'failed', error: { code, message, retry: 'permanent' } };
}
