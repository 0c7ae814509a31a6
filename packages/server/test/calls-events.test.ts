import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { callScene, requestOf } from './support/call-scene.ts';
import { ADMIN, type HubProcess } from './support/hub-process.ts';

interface Told {
  readonly position: string;
  readonly type: string;
  readonly subject: string;
  readonly data: { readonly state?: string };
}

/** Following calls on one node while they run on another. */
describe('the stream of calls', () => {
  const scene = callScene(2);

  /** Opens a stream; it is open when this resolves. Messages are read until one is `last`. */
  async function follow(path: string, hub: HubProcess, after?: string) {
    const closing = new AbortController();
    const response = await fetch(hub.address + path, {
      headers: {
        authorization: `Bearer ${ADMIN}`,
        ...(after !== undefined && { 'last-event-id': after }),
      },
      signal: closing.signal,
    });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const readMore = async (): Promise<void> => {
      const { value, done } = await reader.read();
      assert.ok(!done, 'the stream goes on');
      text += value;
    };
    while (!text.includes(': open')) await readMore();
    return {
      async until(last: (told: Told) => boolean): Promise<Told[]> {
        for (;;) {
          const all = messagesOf(text);
          if (all.some(last)) return all;
          await readMore();
        }
      },
      close: () => closing.abort(),
    };
  }

  it('tells of the end of a call on another node, and of nothing else', async () => {
    const stream = await follow('/api/v1/calls/events', scene.hubs[1]!);
    // An event of another kind, which is not of calls.
    await scene.ask('POST', '/api/v1/tokens', { body: { name: 'noise', permissions: ['calls:read'] } });
    const id = await scene.start(requestOf(scene, '/followed'));
    const all = await stream.until(({ type }) => type === 'linkspan.call.ended');
    stream.close();
    assert.deepEqual(
      all.map(({ type, subject }) => [type, subject]),
      [['linkspan.call.ended', id]],
    );
    assert.equal(all[0]?.data.state, 'succeeded');
  });

  it('tells of one call alone, and goes on behind the last message a client had', async () => {
    const id = await scene.start(requestOf(scene, '/cut', { method: 'POST' }));
    const path = `/api/v1/calls/${id}/events`;
    await scene.until(id, 'held');
    const first = await follow(path, scene.hubs[1]!, '0.0');
    const before = await first.until(({ type }) => type === 'linkspan.call.held');
    first.close();
    await scene.start(requestOf(scene, '/other'));
    await scene.ask('POST', `/api/v1/held/${id}`, { body: { answer: 'resolve', output: 1 } });
    const second = await follow(path, scene.hubs[1]!, before.at(-1)?.position);
    const rest = await second.until(({ type }) => type === 'linkspan.call.ended');
    second.close();
    assert.deepEqual(
      [...before, ...rest].map(({ type, subject }) => [type, subject]),
      [
        ['linkspan.call.held', id],
        ['linkspan.call.ended', id],
      ],
    );
  });

  it('answers bad input clearly', async () => {
    const id = await scene.start(requestOf(scene, '/x'));
    const bad: [string, number, string][] = [
      ['/api/v1/calls/nonsense/events', 400, 'invalid_request'],
      ['/api/v1/calls/00000000-0000-7000-8000-000000000000/events', 404, 'call_not_found'],
      [`/api/v1/calls/${id}/events?after=1`, 400, 'invalid_request'],
      [`/api/v1/calls/${id}/events?type=app`, 400, 'invalid_request'],
      ['/api/v1/calls/events?after=9999999999.1', 400, 'event_position_invalid'],
    ];
    for (const [path, status, code] of bad) {
      const answer = await scene.ask('GET', path);
      assert.deepEqual([answer.status, answer.body['code']], [status, code], path);
    }
  });
});

function messagesOf(text: string): Told[] {
  const whole = text.slice(0, text.lastIndexOf('\n\n') + 1);
  return whole.split('\n\n').flatMap((message) => {
    const data = /^data: (.*)$/m.exec(message)?.[1];
    const position = /^id: (.*)$/m.exec(message)?.[1] ?? '';
    return data === undefined ? [] : [{ ...(JSON.parse(data) as Omit<Told, 'position'>), position }];
  });
}
