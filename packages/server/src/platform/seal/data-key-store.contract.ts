import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import type { DataKeyStore, WrappedKey } from './data-key-store.ts';

/** An empty store, and two scopes it may be asked for. */
export interface OpenedStore {
  readonly store: DataKeyStore;
  readonly own: string;
  readonly other: string;
}

const wrappedKey = (scope: string, change: Partial<WrappedKey> = {}): WrappedKey => ({
  id: randomUUID(),
  scope,
  generation: 1,
  masterId: 'aaaaaaaaaaaaaaaa',
  wrapped: Buffer.from('00ff10', 'hex'),
  ...change,
});

const plain = ({ wrapped, ...rest }: WrappedKey) => ({
  ...rest,
  wrapped: Buffer.from(wrapped).toString('hex'),
});

const same = (actual: WrappedKey | undefined, expected: WrappedKey) =>
  assert.deepEqual(actual && plain(actual), plain(expected));

const ids = async (store: DataKeyStore) => (await Array.fromAsync(store.all())).map(({ id }) => id).sort();

/** What every store of data keys must do. */
export function testDataKeyStore(name: string, open: (t: TestContext) => Promise<OpenedStore>): void {
  describe(`data keys in ${name}`, () => {
    it('finds nothing while there is nothing', async (t) => {
      const { store, own } = await open(t);
      assert.equal(await store.current(own), undefined);
      assert.equal(await store.byId(own, randomUUID()), undefined);
      assert.deepEqual(await ids(store), []);
    });

    it('gives back what was inserted, the highest generation as the current one', async (t) => {
      const { store, own } = await open(t);
      const second = await store.insert(wrappedKey(own, { generation: 2 }));
      const first = await store.insert(wrappedKey(own, { generation: 1 }));
      same(await store.current(own), second);
      same(await store.byId(own, first.id), first);
      assert.deepEqual(await ids(store), [first.id, second.id].sort());
    });

    it('keeps scopes apart', async (t) => {
      const { store, own, other } = await open(t);
      const key = await store.insert(wrappedKey(own));
      assert.equal(await store.byId(other, key.id), undefined);
      assert.equal(await store.current(other), undefined);
    });

    it('lets the first of several keys of one generation stand', async (t) => {
      const { store, own } = await open(t);
      const keys = [wrappedKey(own), wrappedKey(own), wrappedKey(own)];
      const standing = await Promise.all(keys.map((key) => store.insert(key)));
      assert.equal(new Set(standing.map(({ id }) => id)).size, 1);
      same(await store.current(own), standing[0] ?? wrappedKey(own));
      assert.equal((await ids(store)).length, 1);
    });

    it('replaces a key only while it is wrapped as it was', async (t) => {
      const { store, own } = await open(t);
      const before = await store.insert(wrappedKey(own));
      const after = { ...before, masterId: 'bbbbbbbbbbbbbbbb', wrapped: Buffer.from('77', 'hex') };
      assert.equal(await store.replace(before, after), true);
      assert.equal(await store.replace(before, { ...after, wrapped: Buffer.from('88', 'hex') }), false);
      same(await store.current(own), after);
    });
  });
}
