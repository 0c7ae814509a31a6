import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { HandClock } from '../../test/support/clock.ts';
import { silent } from './events.testing.ts';
import { PatientStream } from './slow-reader.ts';
import { farewell } from './stream.ts';

const CHUNK = 'x'.repeat(10_000);
const PATIENCE = 1_000;

function open(source: AsyncGenerator<string, void>) {
  const clock = new HandClock();
  return { clock, stream: new PatientStream(source, { clock, log: silent, patience: PATIENCE, farewell }) };
}

/** Makes texts without end, and counts them. */
function endless() {
  const made = { count: 0, ended: false };
  async function* texts() {
    try {
      for (;;) {
        made.count++;
        yield CHUNK;
      }
    } finally {
      made.ended = true;
    }
  }
  return { made, texts: texts() };
}

test('nothing is made for a reader that does not read, and one that reads too late is told so and left', async () => {
  const { made, texts } = endless();
  const { clock, stream } = open(texts);
  stream.read(0);
  await clock.advance(PATIENCE - 1);
  const kept = made.count;
  assert.ok(kept < 10, `${kept}`);
  await clock.advance(1);
  const read = (await stream.toArray()).join('');
  assert.equal(read, CHUNK.repeat(kept) + farewell('too_slow'));
  assert.equal(made.count, kept);
});

test('a reader that never comes back is cut off', async () => {
  const { made, texts } = endless();
  const { clock, stream } = open(texts);
  stream.read(0);
  await clock.advance(2 * PATIENCE - 1);
  assert.equal(stream.destroyed, false);
  const closed = once(stream, 'close');
  await clock.advance(1);
  await closed;
  assert.equal(made.ended, true);
});

test('a reader that keeps up is never left', async () => {
  const { texts } = endless();
  const { clock, stream } = open(texts);
  for (let turn = 0; turn < 20; turn++) {
    stream.read(); // takes all that is there
    await clock.advance(PATIENCE - 1);
  }
  assert.equal(stream.destroyed, false);
  assert.equal(stream.readableEnded, false);
  stream.destroy();
});

test('a source that ends or fails is explained', async () => {
  async function* ends() {
    yield 'a';
  }
  // oxlint-disable-next-line require-yield
  async function* fails(): AsyncGenerator<string, void> {
    throw new Error('on purpose');
  }
  assert.equal((await open(ends()).stream.toArray()).join(''), `a${farewell('draining')}`);
  assert.equal((await open(fails()).stream.toArray()).join(''), farewell('failed'));
});
