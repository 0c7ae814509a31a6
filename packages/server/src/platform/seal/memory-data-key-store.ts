import type { DataKeyStore, WrappedKey } from './data-key-store.ts';

/** Data keys in memory, for tests. Its rows lie open, so that tests can do to them what a thief or a crash would. */
export class MemoryDataKeyStore implements DataKeyStore {
  rows: WrappedKey[] = [];

  async current(scope: string): Promise<WrappedKey | undefined> {
    const own = this.rows.filter((row) => row.scope === scope);
    return own.toSorted((a, b) => b.generation - a.generation)[0];
  }

  async byId(scope: string, id: string): Promise<WrappedKey | undefined> {
    return this.rows.find((row) => row.id === id && row.scope === scope);
  }

  async insert(key: WrappedKey): Promise<WrappedKey> {
    const standing = this.rows.find((row) => row.scope === key.scope && row.generation === key.generation);
    if (!standing) this.rows.push(key);
    return standing ?? key;
  }

  async *all(): AsyncIterable<WrappedKey> {
    yield* this.rows.slice();
  }

  async replace(before: WrappedKey, after: WrappedKey): Promise<boolean> {
    const at = this.rows.findIndex((row) => row.id === before.id && row.masterId === before.masterId);
    if (at >= 0) this.rows[at] = after;
    return at >= 0;
  }
}
