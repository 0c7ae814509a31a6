import type { Database, Transaction } from '../database/index.ts';
import type { LoadedMasterKey, MasterKeySource } from './load-master-key.ts';
import { loadMasterKey } from './load-master-key.ts';
import { checkValue, requireMasterKey } from './master-key.ts';

/**
 * The master key of this database. The first start writes its check value into the table `store`; every later one
 * requires the key that matches it.
 *
 * Invariant: a key is made, and its check value written, only by who holds the lock on the row of the store. Of
 * hubs that start together with different keys exactly one wins. The others see its check value: they stop, and
 * never made a key file that belongs to no database. The work may be run again: it then finds the file it made.
 *
 * @throws HubError master_key_mismatch, master_key_missing, master_key_invalid, master_key_exposed,
 *   master_key_unusable, and the errors of the database. Each stops the start.
 */
export function openMasterKey(
  database: Database,
  source: Omit<MasterKeySource, 'make'>,
): Promise<LoadedMasterKey> {
  return database.acrossTenants(async (tx) => {
    const stored = await lockCheckValue(tx);
    const loaded = await loadMasterKey({ ...source, make: stored === null });
    if (stored) requireMasterKey(stored, [loaded.master]);
    else await writeCheckValue(tx, checkValue(loaded.master));
    return loaded;
  });
}

async function lockCheckValue(tx: Transaction): Promise<Buffer | null> {
  const store = await tx.selectFrom('store').select('master_key_check').forUpdate().executeTakeFirstOrThrow();
  return store.master_key_check;
}

async function writeCheckValue(tx: Transaction, check: Buffer): Promise<void> {
  await tx.updateTable('store').set({ master_key_check: check }).execute();
}
