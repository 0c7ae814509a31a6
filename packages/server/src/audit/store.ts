import type { Transaction } from '../platform/database/index.ts';
import { newId } from '../platform/ids.ts';
import type { Actor, AuditEntry } from './vocabulary.ts';

/** Writes an entry, in the transaction of what it tells of: both are kept, or neither is. */
export async function recordAudit(tx: Transaction, actor: Actor, entry: AuditEntry): Promise<void> {
  const [resource, action] = entry.name.split('.') as [string, string];
  await tx
    .insertInto('audit_entries')
    .values({
      tenant_id: actor.tenant,
      entry_id: newId(),
      actor_id: actor.principal ?? null,
      token_id: actor.token ?? null,
      address: actor.address ?? null,
      request_id: actor.requestId ?? null,
      resource,
      action,
      target: entry.target ?? null,
      outcome: entry.outcome ?? 'succeeded',
      changes: JSON.stringify(entry.changes ?? {}),
    })
    .execute();
  actor.noted?.(entry.name);
}
