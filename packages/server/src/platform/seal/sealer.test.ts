import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { HandClock } from '../../../test/support/clock.ts';
import { MasterKey } from './master-key.ts';
import { MemoryDataKeyStore } from './memory-data-key-store.ts';
import { createSealer, type Sealer, type SealerOptions } from './sealer.ts';

const SECRET = 'canary: a secret';
const PLACE = { scope: 'tenant-a', purpose: 'connection credential', record: 'record-1' };

const word = fc.string({ unit: 'grapheme', maxLength: 20 });

const newMaster = () => new MasterKey(randomBytes(32));

function open(options: Partial<SealerOptions> = {}) {
  const store = new MemoryDataKeyStore();
  const master = newMaster();
  const clock = new HandClock();
  const sealer = createSealer({ store, master, clock, ...options });
  const another = (change: Partial<SealerOptions> = {}) =>
    createSealer({ store, master, clock, ...options, ...change });
  return { store, master, clock, sealer, another };
}

/** What is sealed, as text. */
const textOf = async (sealer: Sealer, sealed: Uint8Array, place = PLACE) =>
  (await sealer.open(place, sealed)).toString();

const broken = { code: 'seal_broken' };
const unknown = { code: 'seal_key_unknown' };

/** The regions of a sealed value and the offset each begins at. */
const regions = { format: 0, 'key id': 1, nonce: 17, ciphertext: 29, tag: -16 };

describe('sealing', () => {
  it('gives back what was sealed, on any node that has the master key', async () => {
    const { sealer, another } = open();
    const place = fc.record({ scope: word, purpose: word, record: word });
    await fc.assert(
      fc.asyncProperty(place, fc.uint8Array({ maxLength: 300 }), async (at, plaintext) => {
        const sealed = await sealer.seal(at, plaintext);
        assert.equal(sealed.length, plaintext.length + 45);
        assert.deepEqual(await sealer.open(at, sealed), Buffer.from(plaintext));
        assert.deepEqual(await another().open(at, sealed), Buffer.from(plaintext));
      }),
    );
  });

  it('takes text as UTF-8 and refuses half a surrogate pair, which would come back as another', async () => {
    const { sealer } = open();
    assert.equal(await textOf(sealer, await sealer.seal(PLACE, 'Grüße 🗝')), 'Grüße 🗝');
    await assert.rejects(sealer.seal(PLACE, 'x\ud800'), TypeError);
  });

  it('never gives the same bytes twice, and never shows the plaintext', async () => {
    const { sealer } = open();
    const [one, other] = [await sealer.seal(PLACE, SECRET), await sealer.seal(PLACE, SECRET)];
    assert.notDeepEqual(one.subarray(17), other.subarray(17));
    assert.ok(!one.includes('canary'));
  });

  for (const [region, offset] of Object.entries(regions)) {
    it(`notices a change of the ${region}`, async () => {
      const { sealer } = open();
      const sealed = await sealer.seal(PLACE, SECRET);
      sealed[offset < 0 ? sealed.length + offset : offset]! ^= 1;
      await assert.rejects(sealer.open(PLACE, sealed), region === 'key id' ? unknown : broken);
    });
  }

  it('refuses every flipped bit', async () => {
    const { sealer } = open();
    const sealed = await sealer.seal(PLACE, SECRET);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const inKeyId = bit >= 8 && bit < 17 * 8;
      await assert.rejects(sealer.open(PLACE, flipped), inKeyId ? unknown : broken);
    }
  });

  it('refuses every value that was cut short or made longer', async () => {
    const { sealer } = open();
    const sealed = await sealer.seal(PLACE, SECRET);
    for (let length = 0; length < sealed.length; length++) {
      await assert.rejects(sealer.open(PLACE, sealed.subarray(0, length)), broken);
    }
    await assert.rejects(sealer.open(PLACE, Buffer.concat([sealed, Buffer.alloc(1)])), broken);
  });

  it('refuses anything that was never sealed', async () => {
    const { sealer } = open();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), (bytes) =>
        sealer.open(PLACE, bytes).then(
          () => false,
          () => true,
        ),
      ),
    );
  });

  it('opens at no other place, not even where the texts run together alike', async () => {
    const { sealer } = open();
    const sealed = await sealer.seal({ ...PLACE, purpose: 'ab', record: 'c' }, SECRET);
    const wrong = [
      { purpose: 'ab', record: 'd' },
      { purpose: 'x', record: 'c' },
      { purpose: 'a', record: 'bc' },
      { purpose: 'abc', record: '' },
    ];
    for (const other of wrong) await assert.rejects(sealer.open({ ...PLACE, ...other }, sealed), broken);
    const foreign = { scope: 'tenant-b', purpose: 'ab', record: 'c' };
    await assert.rejects(sealer.open(foreign, sealed), unknown);
    await sealer.seal(foreign, 'b has a key of its own');
    await assert.rejects(sealer.open(foreign, sealed), unknown);
  });

  it("does not take another tenant's key, even if its row is moved", async () => {
    const { sealer, store, another } = open();
    const sealed = await sealer.seal(PLACE, SECRET);
    store.rows = store.rows.map((row) => ({ ...row, scope: 'tenant-b' }));
    await assert.rejects(another().open({ ...PLACE, scope: 'tenant-b' }, sealed), broken);
  });

  it('binds a data key to everything its row says', async () => {
    const { sealer, store, another } = open();
    const sealed = await sealer.seal(PLACE, SECRET);
    const [row] = store.rows;
    assert.ok(row);
    const wrapped = Buffer.from(row.wrapped);
    wrapped[20]! ^= 1;
    for (const change of [{ generation: 2 }, { wrapped }, { wrapped: wrapped.subarray(0, 5) }]) {
      store.rows = [{ ...row, ...change }];
      await assert.rejects(another().open(PLACE, sealed), broken);
    }
    store.rows = [{ ...row, masterId: '0'.repeat(16) }];
    await assert.rejects(another().open(PLACE, sealed), unknown);
  });

  it('cannot be opened with another master key or without the data key', async () => {
    const { sealer, store, another } = open();
    const sealed = await sealer.seal(PLACE, SECRET);
    await assert.rejects(another({ master: newMaster() }).open(PLACE, sealed), unknown);
    store.rows = [];
    await assert.rejects(another().open(PLACE, sealed), unknown);
  });

  it('shows no key when a sealer is printed', async () => {
    const { sealer } = open();
    await sealer.seal(PLACE, SECRET);
    assert.match(inspect(sealer, { showHidden: true, depth: 9 }), /^EnvelopeSealer \{\}$/);
    assert.equal(JSON.stringify(sealer), '{}');
  });
});

describe('rotation', () => {
  it('seals with a new key and opens what the former ones sealed', async () => {
    const { sealer, store } = open();
    const before = await sealer.seal(PLACE, 'before');
    await sealer.rotateScope(PLACE.scope);
    const after = await sealer.seal(PLACE, 'after');
    assert.notDeepEqual(before.subarray(1, 17), after.subarray(1, 17));
    assert.deepEqual([await textOf(sealer, before), await textOf(sealer, after)], ['before', 'after']);
    assert.deepEqual(
      store.rows.map(({ generation }) => generation),
      [1, 2],
    );
  });

  it('reseals under the current key only what is not under it', async () => {
    const { sealer } = open();
    const old = await sealer.seal(PLACE, SECRET);
    assert.equal(await sealer.reseal(PLACE, old), undefined);
    await sealer.rotateScope(PLACE.scope);
    const fresh = await sealer.reseal(PLACE, old);
    assert.ok(fresh);
    assert.equal(await textOf(sealer, fresh), SECRET);
    assert.equal(await sealer.reseal(PLACE, fresh), undefined);
    await assert.rejects(sealer.reseal({ ...PLACE, record: 'x' }, old), broken);
  });

  it('comes by itself before a key has sealed too often', async () => {
    const { sealer, store } = open({ sealsPerKey: 3 });
    const sealed = await Promise.all(Array.from({ length: 7 }, () => sealer.seal(PLACE, SECRET)));
    const uses = Map.groupBy(sealed, (value) => value.toString('hex', 1, 17));
    assert.ok([...uses.values()].every((values) => values.length <= 3));
    assert.equal(store.rows.length, uses.size);
  });

  it('on another node is noticed after the time of the cache', async () => {
    const { sealer, another, clock } = open({ cache: { entries: 10, ms: 1_000 } });
    const node = another();
    const keyOf = async () => (await node.seal(PLACE, SECRET)).toString('hex', 1, 17);
    const former = await keyOf();
    await sealer.rotateScope(PLACE.scope);
    assert.equal(await keyOf(), former);
    await clock.advance(1_000);
    assert.notEqual(await keyOf(), former);
  });

  it('and erasure are noticed at once by a node that forgets', async () => {
    const { sealer, store } = open();
    const sealed = await sealer.seal(PLACE, SECRET);
    await sealer.open(PLACE, sealed);
    store.rows = [];
    assert.equal(await textOf(sealer, sealed), SECRET);
    sealer.forget();
    await assert.rejects(sealer.open(PLACE, sealed), unknown);
  });
});

describe('a new master key', () => {
  it('wraps every data key anew; the former is not needed any more', async () => {
    const { sealer, another } = open();
    const next = newMaster();
    const other = { ...PLACE, scope: 'tenant-b' };
    const sealed = [await sealer.seal(PLACE, 'a'), await sealer.seal(other, 'b')] as const;
    assert.deepEqual(await sealer.rewrapAll(next), { rewrapped: 2, unopened: [] });
    assert.deepEqual(await sealer.rewrapAll(next), { rewrapped: 0, unopened: [] });
    const fresh = another({ master: next });
    assert.deepEqual([await textOf(fresh, sealed[0]), await textOf(fresh, sealed[1], other)], ['a', 'b']);
    await assert.rejects(another().open(PLACE, sealed[0]), unknown);
    assert.equal(await textOf(another({ former: [next] }), sealed[0]), 'a');
  });

  it('leaves alone what it cannot open, names it, and finishes the rest', async () => {
    const { sealer, store, another } = open();
    await sealer.seal(PLACE, SECRET);
    await another({ master: newMaster() }).seal({ ...PLACE, scope: 'tenant-b' }, SECRET);
    const foreign = store.rows.find(({ scope }) => scope === 'tenant-b');
    assert.ok(foreign);
    assert.deepEqual(await sealer.rewrapAll(newMaster()), { rewrapped: 1, unopened: [foreign.id] });
    assert.deepEqual(
      store.rows.filter(({ scope }) => scope === 'tenant-b'),
      [foreign],
    );
  });

  it('may be given to several nodes that rewrap at once', async () => {
    const { sealer, another, store } = open();
    const next = randomBytes(32);
    const sealed = await sealer.seal(PLACE, SECRET);
    const nodes = [sealer, another(), another()];
    await Promise.all(nodes.map((node) => node.rewrapAll(new MasterKey(Buffer.from(next)))));
    const fresh = another({ master: new MasterKey(Buffer.from(next)) });
    assert.equal(await textOf(fresh, sealed), SECRET);
    assert.equal(store.rows.length, 1);
  });
});
