import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { callScene, requestOf } from './support/call-scene.ts';

/** `wait`: the end of a call as the answer to its start, on whatever node it runs. */
describe('waiting for the end of a call', () => {
  const scene = callScene(2);
  const post = (body: object, hub = scene.hubs[0], headers: Record<string, string> = {}) =>
    scene.ask('POST', '/api/v1/calls', { body, headers, ...(hub && { hub }) });

  it('answers with the output, the context and the id', async () => {
    const started = performance.now();
    const { status, body } = await post({ ...requestOf(scene, '/now'), wait: 30, context: { task: 3 } });
    assert.equal(status, 200);
    assert.ok(performance.now() - started < 4_000, 'it was told, and did not have to look');
    assert.deepEqual((body['output'] as { body: unknown }).body, { path: '/now' });
    assert.deepEqual(body['context'], { task: 3 });
    assert.equal((await scene.until(String(body['id']), 'succeeded'))['id'], body['id']);
  });

  it('answers 202 when the call takes longer, and at once without it', async () => {
    const started = performance.now();
    const body = { ...requestOf(scene, '/later'), delay: 600_000 };
    assert.equal((await post(body)).status, 202);
    assert.ok(performance.now() - started < 900, 'nobody waited');
    const { status, headers, body: accepted } = await post({ ...body, wait: 1 });
    assert.equal(status, 202);
    assert.equal(headers.get('location'), `/api/v1/calls/${String(accepted['id'])}`);
    assert.ok(performance.now() - started >= 1_000);
  });

  it('lets the error of the call bubble up, with its code, its status and the id', async () => {
    const { status, headers, body } = await post({ ...requestOf(scene, '/fails'), wait: 30 });
    assert.equal(status, 422);
    assert.equal(headers.get('content-type'), 'application/problem+json');
    assert.equal(body['code'], 'http_rejected');
    assert.equal(body['state'], 'failed');
    assert.equal((body['details'] as { status: number }).status, 400);
    const call = await scene.until(String(body['call']), 'failed');
    assert.equal((call['error'] as { code: string }).code, 'http_rejected');
    assert.doesNotMatch(scene.hubs[0]!.log, /a request failed/, 'it is an answer, no fault of the hub');
  });

  it('says that the call ran out of time, or was cancelled meanwhile', async () => {
    const late = await post({ ...requestOf(scene, '/x'), delay: 60_000, deadline: 50, wait: 30 });
    assert.equal(late.status, 504);
    assert.equal(late.body['code'], 'call_expired');

    const since = Date.now();
    const waiting = post({ ...requestOf(scene, '/y'), delay: 60_000, wait: 60 });
    const id = await startedSince(since, 'queued');
    await scene.ask('POST', `/api/v1/calls/${id}/cancel`);
    const { status, body } = await waiting;
    assert.deepEqual([status, body['code'], body['call']], [409, 'call_cancelled', id]);
  });

  it('is told of an end on another node, long before it would look again', async () => {
    const request = { ...requestOf(scene, '/hold/other'), wait: 60 };
    const key = { 'idempotency-key': 'shared' };
    await scene.start(requestOf(scene, '/hold/other'), { headers: key });
    // The other node waits for the same call, which runs on the first one.
    const waiting = post(request, scene.hubs[1], key);
    await later(1_200); // past both early looks
    const released = performance.now();
    scene.release();
    const { status, body } = await waiting;
    assert.equal(status, 200);
    assert.equal(body['joined'], true);
    assert.ok(performance.now() - released < 2_500, `${performance.now() - released} ms after the end`);
  });

  it('hears of a call that had ended before anybody waited for it', async () => {
    const key = { 'idempotency-key': 'ended' };
    const id = await scene.start(requestOf(scene, '/early'), { headers: key });
    await scene.until(id, 'succeeded');
    for (const hub of scene.hubs) {
      const { status, body } = await post({ ...requestOf(scene, '/early'), wait: 60 }, hub, key);
      assert.deepEqual([status, body['id'], body['joined']], [200, id, true]);
    }
  });

  it('does not count `wait` as part of the request an Idempotency-Key is for', async () => {
    const key = { 'idempotency-key': 'patience' };
    const first = await post({ ...requestOf(scene, '/p'), wait: 30 }, scene.hubs[0], key);
    const second = await post(requestOf(scene, '/p'), scene.hubs[0], key);
    assert.deepEqual([first.status, second.status], [200, 202]);
    assert.equal(first.body['id'], second.body['id']);
  });

  it('goes on with the call when the client is gone', async () => {
    const gone = new AbortController();
    const since = Date.now();
    const body = { action: 'example/wait', input: { seconds: 2 }, wait: 60 };
    const asked = scene.ask('POST', '/api/v1/calls', { body, signal: gone.signal });
    const id = await startedSince(since, 'running');
    gone.abort();
    await assert.rejects(asked, { name: 'AbortError' });
    await scene.until(id, 'succeeded');
  });

  it('gives the result alone, once there is one', async () => {
    const id = await scene.start({ action: 'example/wait', input: { seconds: 600 } });
    const result = (call: string) => scene.ask('GET', `/api/v1/calls/${call}/result`);
    assert.deepEqual([(await result(id)).status, (await result(id)).body['code']], [404, 'call_not_ended']);
    await scene.ask('POST', `/api/v1/calls/${id}/cancel`);
    await scene.until(id, 'cancelled');
    assert.equal((await result(id)).status, 409);
    const done = await scene.start(requestOf(scene, '/r'));
    await scene.until(done, 'succeeded');
    const { status, body } = await result(done);
    assert.equal(status, 200);
    assert.deepEqual(body['body'], { path: '/r' });
    assert.equal((await result('00000000-0000-7000-8000-000000000000')).body['code'], 'call_not_found');
    assert.equal((await result('nonsense')).status, 400);
  });

  it('refuses a wait that is none', async () => {
    for (const wait of [-1, 61, '5', null])
      assert.equal((await post({ ...requestOf(scene, '/never'), wait })).status, 400, String(wait));
    assert.ok(!scene.served.some(({ path }) => path === '/never'));
  });

  it('keeps no node from stopping', async () => {
    const since = Date.now();
    const waiting = post({ ...requestOf(scene, '/z'), delay: 600_000, wait: 60 }, scene.hubs[1]);
    await startedSince(since, 'queued');
    const stopping = performance.now();
    const [{ status }] = await Promise.all([waiting, scene.hubs[1]?.end('SIGTERM')]);
    assert.equal(status, 202);
    assert.ok(performance.now() - stopping < 10_000);
  });

  /** The one call that was started since then and has got into this state; asked for until there is one. */
  async function startedSince(since: number, state: string): Promise<string> {
    for (;;) {
      const query = `from=${new Date(since).toISOString()}&state=${state}`;
      const { body } = await scene.ask('GET', `/api/v1/calls?${query}`);
      const [call] = body['items'] as { id: string }[];
      if (call) return call.id;
      await later(20);
    }
  }

  function later(ms: number): Promise<void> {
    return new Promise((resolve) => void setTimeout(resolve, ms));
  }
});
