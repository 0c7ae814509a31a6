import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { DatabaseTarget } from '../src/platform/database/index.ts';
import { query } from '../src/platform/database/query.testing.ts';
import { cloneDatabase } from './support/database.ts';
import { ADMIN, openPlace, type HubProcess, type Place } from './support/hub-process.ts';

interface Call {
  id: string;
  state: string;
  endedAt: string | null;
  output: { method: string; headers: Record<string, string>; query: Record<string, unknown>; body: unknown };
  error: { code: string; details?: unknown } | null;
}

interface Delivery {
  id: string;
  callback: string;
  method: string;
  state: string;
  progress: unknown;
  tries: number;
}

const KEY = '11'.repeat(32);

describe('callbacks through the whole hub', () => {
  let place: Place;
  let hub: HubProcess;
  let other: HubProcess;
  let database: DatabaseTarget;
  const ends: (() => unknown)[] = [];
  const scope = { after: (work: () => unknown) => void ends.push(work) };

  before(async () => {
    place = await openPlace(scope);
    database = await cloneDatabase(scope);
    hub = await start();
    other = await start();
  });
  after(async () => {
    for (const end of ends) await end();
  });

  const start = () =>
    place.start({
      LINKSPAN_DATABASE_URL: database.connectionString ?? '',
      LINKSPAN_ADMIN_TOKEN: ADMIN,
      LINKSPAN_MASTER_KEY: KEY,
    });

  async function api(method: string, path: string, body?: unknown, from = hub) {
    const response = await fetch(from.address + path, {
      method,
      headers: {
        authorization: `Bearer ${ADMIN}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  const read = async (id: string, from?: HubProcess): Promise<Call> =>
    (await api('GET', `/api/v1/calls/${id}`, undefined, from)).body as unknown as Call;
  const deliveries = async (id: string) =>
    (await api('GET', `/api/v1/calls/${id}/deliveries`)).body['items'] as Delivery[];
  const addresses = async (id: string) =>
    (await api('GET', `/api/v1/calls/${id}/callbacks`)).body['items'] as {
      address: string;
      expiresAt: string;
    }[];

  /** Asks until it is as wanted; the runner's time limit ends a wait for what never comes. */
  async function until<T>(look: () => Promise<T>, wanted: (found: T) => boolean): Promise<T> {
    for (;;) {
      const found = await look();
      if (wanted(found)) return found;
      await wait(20);
    }
  }
  const ended = (id: string, from?: HubProcess) =>
    until(
      () => read(id, from),
      (call) => call.endedAt !== null,
    );

  /** A call, with the address of its callback. It waits already, unless it makes a pause. */
  async function asking(input: Record<string, unknown> = {}) {
    const { status, body } = await api('POST', '/api/v1/calls', {
      action: 'example/callback',
      input,
    });
    assert.equal(status, 202);
    const id = body['id'] as string;
    const [callback] = await until(
      () => addresses(id),
      (found) => found.length > 0,
    );
    if (input['pause'] === undefined)
      await until(
        () => read(id),
        (call) => call.state === 'waiting',
      );
    return { id, address: callback!.address, expiresAt: callback!.expiresAt };
  }

  async function deliver(address: string, body?: unknown, init: RequestInit = {}) {
    const response = await fetch(address, {
      method: 'POST',
      redirect: 'manual',
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...init,
      headers: {
        'content-type': 'application/json',
        ...(init.headers as Record<string, string> | undefined),
      },
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  const at = (address: string, from: HubProcess) => from.address + new URL(address).pathname;

  const refusals = async (reason: string, target: string | null) => {
    const rows = await query<{ count: number }>(
      database,
      `select count(*)::integer as count from linkspan.audit_entries
       where resource = 'callback' and action = 'refuse' and outcome = 'refused' and changes->>'reason' = '${reason}'
         and target is not distinct from ${target === null ? 'null' : `'${target}'`}`,
    );
    return rows[0]?.count;
  };

  it('completes a call with what came: its method, its query, its body', async () => {
    const { id, address } = await asking();
    const told = await deliver(`${address}?from=there&n=1&n=2`, { paid: true }, { method: 'PUT' });
    assert.equal(told.status, 200);
    assert.equal(told.headers.get('cache-control'), 'no-store');
    const call = await ended(id);
    assert.equal(call.state, 'succeeded');
    assert.equal(call.output.method, 'PUT');
    assert.deepEqual(call.output.query, { from: 'there', n: ['1', '2'] });
    assert.deepEqual(call.output.body, { paid: true });
    assert.deepEqual(
      (await deliveries(id)).map(({ state, callback, method }) => ({ state, callback, method })),
      [{ state: 'continued', callback: 'done', method: 'PUT' }],
    );
  });

  it('takes any type of content, and shows no credential of the sender', async () => {
    const { id, address } = await asking();
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: 'Bearer of-the-sender',
      cookie: 'a=b',
    };
    assert.equal((await deliver(address, undefined, { body: 'paid=yes', headers })).status, 200);
    const { output } = await ended(id);
    assert.equal(output.body, 'paid=yes');
    assert.deepEqual([output.headers['authorization'], output.headers['cookie']], [undefined, undefined]);
  });

  it('gives a browser a page, without a handler too; a preview of it is no use', async () => {
    const { id, address } = await asking({ kind: 'redirect' });
    assert.equal((await fetch(address, { method: 'HEAD' })).status, 204);
    assert.equal((await read(id)).state, 'waiting');
    const response = await fetch(`${address}?code=1`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    assert.match(await response.text(), /close this window/);
    assert.deepEqual((await ended(id)).output.query, { code: '1' });
  });

  it('a handshake and a report use nothing up; a refusal fails the call', async () => {
    const { id, address } = await asking();
    assert.equal((await deliver(address, { challenge: 'echo-this' })).text, 'echo-this');
    assert.equal((await deliver(address, { progress: { percent: 40 } })).status, 200);
    assert.equal((await read(id)).state, 'waiting');
    assert.equal((await deliver(address, { refuse: 'no stock' })).status, 200);
    const call = await ended(id);
    assert.equal(call.state, 'failed');
    assert.equal(call.error?.code, 'refused');
    assert.deepEqual(
      (await deliveries(id)).map(({ state, progress }) => [state, progress]),
      [
        ['noted', null],
        ['noted', { percent: 40 }],
        ['continued', null],
      ],
    );
  });

  it('one that comes while the attempt still runs is kept, and used when it waits', async () => {
    const { id, address } = await asking({ pause: 2 });
    assert.equal((await deliver(address, { early: true })).status, 200);
    assert.equal((await deliveries(id))[0]?.state, 'decided');
    assert.equal((await read(id)).state, 'running');
    const call = await ended(id);
    assert.equal(call.state, 'succeeded');
    assert.deepEqual(call.output.body, { early: true });
    const settled = await until(
      () => deliveries(id),
      ([first]) => first?.state !== 'decided',
    );
    assert.equal(settled[0]?.state, 'continued');
  });

  it('the same delivery gets the same receipt, before and after the end; another one after it is refused', async () => {
    const { id, address } = await asking();
    const first = await deliver(address, { paid: 1 });
    await ended(id);
    const again = await deliver(address, { paid: 1 }, { headers: { 'x-trace': 'other' } });
    assert.equal(again.status, 200);
    assert.equal(again.text, first.text);
    assert.ok(first.headers.get('linkspan-receipt'));
    assert.equal(again.headers.get('linkspan-receipt'), first.headers.get('linkspan-receipt'));
    assert.equal((await deliveries(id)).length, 1);

    const late = await deliver(address, { paid: 2 });
    assert.equal(late.status, 410);
    assert.equal((JSON.parse(late.text) as { code: string }).code, 'callback_over');
    assert.equal((await deliveries(id)).length, 1);
    assert.equal(await refusals('late', id), 1);
  });

  it('refuses what is forged and what is foreign, alike and without a word about the call', async () => {
    const { id, address } = await asking();
    const token = address.split('/').at(-1)!;
    const flipped = token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
    const forged = await deliver(address.replace(token, flipped), { paid: true });
    assert.equal(forged.status, 404);
    assert.equal((JSON.parse(forged.text) as { code: string }).code, 'callback_unknown');
    assert.ok(!forged.text.includes(id) && !forged.text.includes(token));
    assert.equal((await deliver(`${hub.address}/cb/nonsense`)).status, 404);
    assert.ok(((await refusals('forged', null)) ?? 0) >= 2);
    assert.equal((await read(id)).state, 'waiting');

    // Signed by this hub, but for a callback its store does not hold (any more).
    await query(database, `delete from linkspan.callbacks where call_id = '${id}'`);
    const foreign = await deliver(address, { paid: true });
    assert.equal(foreign.status, 404);
    assert.equal(await refusals('foreign', id), 1);
    assert.equal((await read(id)).state, 'waiting');
  });

  it('refuses a callback that has expired', async () => {
    const { id, address, expiresAt } = await asking({ seconds: 1, pause: 30 });
    await wait(Math.max(0, Date.parse(expiresAt) - Date.now()) + 50);
    const answer = await deliver(address, { paid: true });
    assert.equal(answer.status, 410);
    assert.equal(await refusals('expired', id), 1);
    assert.deepEqual(await deliveries(id), []);
    await api('POST', `/api/v1/calls/${id}/cancel`);
  });

  it('takes in only what is signed as the action asks, and shows the secret nowhere', async () => {
    const secret = 'canary-of-the-callback-tests-2291';
    const { id, address } = await asking({ signingSecret: secret });
    const body = JSON.stringify({ paid: secret });
    const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
    assert.equal((await deliver(address, undefined, { body })).status, 401);
    const wrong = signature.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    assert.equal(
      (await deliver(address, undefined, { body, headers: { 'x-signature': wrong } })).status,
      401,
    );
    assert.equal(await refusals('unverified', id), 2);
    assert.deepEqual(await deliveries(id), []);
    assert.equal(
      (await deliver(address, undefined, { body, headers: { 'x-signature': signature } })).status,
      200,
    );
    const call = await ended(id);
    assert.equal(call.state, 'succeeded');
    assert.ok(!JSON.stringify(call).includes(secret));
    const rows = await query<{ text: string }>(
      database,
      `select d::text as text from linkspan.callback_deliveries d`,
    );
    assert.ok(rows.length > 0);
    for (const { text } of rows)
      assert.ok(!text.includes(Buffer.from(secret).toString('hex')) && !text.includes(secret));
  });

  it('works on any node: asked for on one, used on the other', async () => {
    const { id, address } = await asking();
    assert.equal((await deliver(at(address, other), { node: 'b' })).status, 200);
    assert.deepEqual((await ended(id)).output.body, { node: 'b' });
  });

  it('of a hundred at once, over two nodes, one continues the call', async () => {
    const { id, address } = await asking();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, nth) => deliver(at(address, nth % 2 ? hub : other), { nth })),
    );
    const call = await ended(id);
    const taken = answers.flatMap(({ status }, nth) => (status === 200 ? [nth] : []));
    assert.equal(taken.length, 1, JSON.stringify(answers.map(({ status }) => status)));
    assert.deepEqual(call.output.body, { nth: taken[0] });
    assert.deepEqual(
      [...new Set(answers.map(({ status }) => status))].toSorted((a, b) => a - b),
      [200, 410],
    );
    const states = (await deliveries(id)).map(({ state }) => state);
    assert.equal(states.filter((state) => state === 'continued').length, 1);
  });

  it('a hundred times the same at once is one delivery with one receipt', async () => {
    const { id, address } = await asking();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, nth) => deliver(at(address, nth % 2 ? hub : other), { same: true })),
    );
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    await ended(id);
    const all = await deliveries(id);
    assert.deepEqual([all.length, all[0]?.tries], [1, 1]);
  });

  it('a person replays a delivery, with the bytes it came with', async () => {
    const { id, address } = await asking();
    await deliver(address, { progress: 1 });
    const [first] = await deliveries(id);
    const replay = (call: string, delivery: string) =>
      api('POST', `/api/v1/calls/${call}/deliveries/${delivery}/replay`);
    const again = await replay(id, first!.id);
    assert.equal(again.status, 200);
    assert.equal(again.body['state'], 'noted');
    assert.deepEqual(
      (await deliveries(id)).map(({ tries, progress }) => [tries, progress]),
      [[2, 1]],
    );
    assert.equal((await replay(id, id)).body['code'], 'delivery_not_found');
    await deliver(address, { paid: true });
    await ended(id);
    assert.equal((await replay(id, first!.id)).body['code'], 'call_ended');
  });

  it('a node killed between storing a delivery and deciding about it loses nothing', async () => {
    const third = await start();
    const { id, address } = await asking();
    const body = { pause: 1.5, paid: 'through a kill' };
    const lost = deliver(at(address, third), body).catch(() => 'cut off');
    await until(
      () => deliveries(id),
      ([first]) => first?.state === 'received' && first.tries === 1,
    );
    await third.end('SIGKILL');
    assert.equal(await lost, 'cut off');
    const call = await ended(id);
    assert.deepEqual(call.output.body, body);
    assert.deepEqual(
      (await deliveries(id)).map(({ tries }) => tries),
      [2],
    );
  });
});
