import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { query } from '../src/platform/database/query.testing.ts';
import { callScene, requestOf } from './support/call-scene.ts';

interface Held {
  readonly id: string;
  readonly reason: string;
  readonly error: { readonly code: string } | null;
}

describe('calls that wait for a person', () => {
  const scene = callScene(1);
  const answer = (id: string, body: unknown, token?: string) =>
    scene.ask('POST', `/api/v1/held/${id}`, { body, ...(token !== undefined && { token }) });
  const held = async (text = '') => {
    const { status, body } = await scene.ask('GET', `/api/v1/held?${text}`);
    assert.equal(status, 200);
    return body as unknown as { items: Held[]; next: string | null };
  };
  /** A call of which nobody knows whether it happened. */
  const hold = async () => {
    const id = await scene.start(requestOf(scene, '/cut', { method: 'POST' }));
    await scene.until(id, 'held');
    return id;
  };

  it('are listed with what a person has to know, the newest first', async () => {
    const ids = [await hold(), await hold(), await hold()];
    const { items, next } = await held();
    assert.deepEqual(
      items.map(({ id }) => id),
      ids.toReversed(),
    );
    assert.equal(next, null);
    assert.equal(items[0]?.reason, 'unknown_outcome');
    assert.match(items[0]?.error?.code ?? '', /^[a-z_]+$/);
    const first = await held('limit=2');
    const second = await held(`limit=2&after=${first.next}`);
    assert.deepEqual(
      [...first.items, ...second.items].map(({ id }) => id),
      ids.toReversed(),
    );
    assert.equal(second.next, null);
  });

  it('are tried again', async () => {
    const id = await hold();
    const before = scene.served.length;
    assert.equal((await answer(id, { answer: 'retry' })).status, 204);
    await untilServed(before + 1);
    // It is cut off again.
    while (((await scene.until(id, 'held'))['attempts'] as unknown[]).length < 2);
  });

  it('fail with the code a person gives', async () => {
    const id = await hold();
    assert.equal(
      (await answer(id, { answer: 'fail', code: 'never_arrived', message: 'I looked.' })).status,
      204,
    );
    const { error } = await scene.until(id, 'failed');
    assert.deepEqual(error, { code: 'never_arrived', message: 'I looked.', retry: 'permanent' });
    const { status, body } = await scene.ask('GET', `/api/v1/calls/${id}/result`);
    assert.deepEqual([status, body['code'], body['call']], [422, 'never_arrived', id]);
  });

  it('succeed with the output a person gives, any JSON', async () => {
    for (const output of [{ order: { id: 7, lines: [1, null] } }, 'done', null, [true]]) {
      const id = await hold();
      assert.equal((await answer(id, { answer: 'resolve', output })).status, 204);
      const call = await scene.until(id, 'succeeded');
      assert.deepEqual(call['output'], output);
      const result = await scene.ask('GET', `/api/v1/calls/${id}/result`);
      assert.equal(result.status, 200);
      assert.equal(result.text, JSON.stringify(output));
    }
  });

  it('are answered once, by one person who may, and the audit tells by whom', async () => {
    const id = await hold();
    const weak = await scene.ask('POST', '/api/v1/tokens', {
      body: { name: 'reader', permissions: ['calls:read', 'calls:write'] },
    });
    assert.equal((await answer(id, { answer: 'retry' }, String(weak.body['token']))).status, 403);
    const answers = await Promise.all(
      [1, 2, 3, 4].map((nth) => answer(id, { answer: 'resolve', output: nth })),
    );
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [204, 409, 409, 409],
    );
    const won = answers.findIndex(({ status }) => status === 204) + 1;
    assert.equal((await scene.until(id, 'succeeded'))['output'], won);
    assert.deepEqual((await answer(id, { answer: 'retry' })).body['code'], 'call_not_held');
    const entries = await query<{ outcome: string; changes: { answer: string } }>(
      scene.database,
      `select outcome, changes from audit_entries where action = 'resolve' and target = '${id}'`,
      'linkspan_hub',
    );
    const counted = entries.filter(({ outcome }) => outcome === 'succeeded').length;
    const refused = entries.filter(({ outcome }) => outcome === 'refused').length;
    assert.equal(counted - refused, 1);
    assert.equal(entries[0]?.changes.answer, 'resolve');
  });

  it('answers bad input clearly', async () => {
    const id = await hold();
    const bad = [
      {},
      { answer: 'ignore' },
      { answer: 'fail' },
      { answer: 'fail', code: 'Not A Code', message: 'x' },
      { answer: 'fail', code: 'a', message: '' },
      { answer: 'resolve' },
      { answer: 'retry', output: 1 },
    ];
    for (const body of bad) assert.equal((await answer(id, body)).status, 400, JSON.stringify(body));
    assert.equal((await scene.ask('GET', '/api/v1/held?limit=0')).status, 400);
    assert.equal((await scene.ask('GET', '/api/v1/held?after=x')).status, 400);
    assert.equal((await answer('nonsense', { answer: 'retry' })).status, 400);
    const none = await answer('00000000-0000-7000-8000-000000000000', { answer: 'retry' });
    assert.deepEqual([none.status, none.body['code']], [404, 'call_not_found']);
    const queued = await scene.start({ ...requestOf(scene, '/q'), delay: 600_000 });
    assert.equal((await answer(queued, { answer: 'retry' })).body['code'], 'call_not_held');
    await scene.until(id, 'held');
  });

  async function untilServed(count: number): Promise<void> {
    while (scene.served.length < count) await new Promise((resolve) => void setTimeout(resolve, 20));
  }
});
