import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { eventCatalogue } from '../src/events/index.ts';
import type { DatabaseTarget } from '../src/platform/database/index.ts';
import { compileCheck } from '../src/platform/schema/index.ts';
import { cloneDatabase } from './support/database.ts';
import { ADMIN, openPlace, type HubProcess } from './support/hub-process.ts';

const SECRET = 'canary-of-the-call-tests-8841';

interface Served {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An external system that notes what it is asked. The path says what it answers. */
async function startOutside() {
  const served: Served[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const path = request.url ?? '';
      const times = served.filter((one) => one.path === path).length;
      served.push({
        method: request.method ?? '',
        path,
        headers: request.headers,
        body: Buffer.concat(parts).toString(),
      });
      if (path.startsWith('/hang')) return;
      const fails = path.startsWith('/fails') || (path.startsWith('/flaky') && times === 0);
      response.writeHead(fails ? 503 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ path, authorization: request.headers.authorization ?? null }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { served, address: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`, server };
}

interface CallAnswer {
  id: string;
  joined: boolean;
  code: string;
  state: string;
  output: { status: number; body: { path: string; authorization: string | null } };
  error: { code: string } | null;
  nextAttemptAt: string | null;
  endedAt: string | null;
  context: unknown;
  attempts: { outcome: string }[];
  faults: { path: string }[];
}

describe('calls through the whole hub', () => {
  let hub: HubProcess;
  let outside: Awaited<ReturnType<typeof startOutside>>;
  let database: DatabaseTarget;
  const ends: (() => unknown)[] = [];
  const scope = { after: (work: () => unknown) => void ends.push(work) };

  before(async () => {
    outside = await startOutside();
    scope.after(() => {
      outside.server.closeAllConnections();
      outside.server.close();
    });
    const place = await openPlace(scope);
    database = await cloneDatabase(scope);
    hub = await place.start({
      LINKSPAN_DATABASE_URL: database.connectionString ?? '',
      LINKSPAN_ADMIN_TOKEN: ADMIN,
      LINKSPAN_EGRESS_ALLOW: outside.host,
    });
  });
  after(async () => {
    for (const end of ends) await end();
  });

  async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(hub.address + path, {
      method,
      headers: {
        authorization: `Bearer ${ADMIN}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as CallAnswer,
    };
  }

  const start = (body: unknown, headers?: Record<string, string>) =>
    ask('POST', '/api/v1/calls', body, headers);
  const read = async (id: string) => (await ask('GET', `/api/v1/calls/${id}`)).body;
  const request = (path: string, more: object = {}) => ({
    action: 'http/request',
    input: { url: outside.address + path, ...more },
  });

  /** Reads the call until it is as wanted; the runner's time limit ends a wait for what never comes. */
  async function until(id: string, wanted: (call: CallAnswer) => boolean): Promise<CallAnswer> {
    for (;;) {
      const call = await read(id);
      if (wanted(call)) return call;
      await wait(20);
    }
  }
  const ended = (id: string) => until(id, (call) => call.endedAt !== null);

  it('does what it accepted, and shows how it went', async () => {
    const { status, headers, body } = await start({ ...request('/plain'), context: { task: 7 } });
    assert.equal(status, 202);
    assert.equal(headers.get('location'), `/api/v1/calls/${body.id}`);
    const call = await ended(body.id);
    assert.equal(call.state, 'succeeded');
    assert.equal(call.output.status, 200);
    assert.equal(call.output.body.path, '/plain');
    assert.deepEqual(call.context, { task: 7 });
    assert.deepEqual(
      call.attempts.map(({ outcome }) => outcome),
      ['succeeded'],
    );
  });

  it('tries again what may be tried again, and says when', async () => {
    const { body } = await start({ ...request('/flaky'), policy: { delay: 400, jitter: 0 } });
    const retrying = await until(body.id, (call) => call.attempts.length === 1);
    assert.equal(retrying.state, 'queued');
    assert.ok(Date.parse(retrying.nextAttemptAt ?? '') > Date.now() - 1_000);
    const call = await ended(body.id);
    assert.deepEqual(
      call.attempts.map(({ outcome }) => outcome),
      ['failed', 'succeeded'],
    );
  });

  it('gives up after the attempts of its policy, and says why', async () => {
    const { body } = await start({ ...request('/fails'), policy: { attempts: 2, delay: 10 } });
    const call = await ended(body.id);
    assert.equal(call.state, 'failed');
    assert.equal(call.attempts.length, 2);
    assert.notEqual(call.error, null);
  });

  it('is one call for one Idempotency-Key, and refuses another body under it', async () => {
    const key = { 'idempotency-key': 'one-key' };
    const answers = await Promise.all(Array.from({ length: 5 }, () => start(request('/once'), key)));
    assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
    assert.equal(answers.filter(({ body }) => !body.joined).length, 1);
    await ended(answers[0]!.body.id);
    assert.equal(outside.served.filter(({ path }) => path === '/once').length, 1);
    const other = await start(request('/other'), key);
    assert.equal(other.status, 409);
    assert.equal(other.body.code, 'idempotency_key_reused');
    assert.equal((await start(request('/once'), { 'idempotency-key': 'ä b' })).status, 400);
  });

  it('keeps a secret of the input out of its database, and sends it', async () => {
    const { body } = await start(request('/secret', { auth: { bearer: SECRET } }));
    const call = await ended(body.id);
    assert.equal(
      outside.served.find(({ path }) => path === '/secret')?.headers.authorization,
      `Bearer ${SECRET}`,
    );
    // The other side sent it back; it does not get out again.
    assert.ok(!JSON.stringify(call).includes(SECRET));
    const client = new pg.Client(database);
    await client.connect();
    try {
      await client.query('set role linkspan_hub');
      const { rows } = await client.query<{ text: string }>(
        `select c::text || coalesce((select string_agg(a::text, '') from linkspan.attempts a where a.call_id = c.call_id), '') as text
         from linkspan.calls c where call_id = $1`,
        [body.id],
      );
      assert.match(rows[0]?.text ?? '', /sealed/);
      assert.ok(!rows[0]?.text.includes(SECRET));
    } finally {
      await client.end();
    }
  });

  it('cancels a call that runs, and one that waits for its time', async () => {
    const running = (await start(request('/hang'))).body.id;
    await until(running, (call) => call.state === 'running');
    assert.equal((await ask('POST', `/api/v1/calls/${running}/cancel`)).status, 202);
    assert.equal((await ended(running)).state, 'cancelled');

    const later = (await start({ ...request('/later'), delay: 60_000 })).body.id;
    assert.equal((await ask('POST', `/api/v1/calls/${later}/cancel`)).body.state, 'cancelled');
    assert.equal((await ask('POST', `/api/v1/calls/${later}/cancel`)).status, 409);
    assert.ok(!outside.served.some(({ path }) => path === '/later'));
  });

  it('expires a call whose deadline passes, and starts a delayed one when it is due', async () => {
    const late = (await start({ ...request('/late'), delay: 60_000, deadline: 100 })).body.id;
    const soon = (await start({ ...request('/soon'), delay: 100 })).body.id;
    assert.equal((await ended(late)).state, 'expired');
    assert.equal((await ended(soon)).state, 'succeeded');
  });

  it('lets only the last of a job that is replaced run', async () => {
    const job = { key: 'report', mode: 'replace' };
    const ids: string[] = [];
    for (let nth = 0; nth < 3; nth++)
      ids.push((await start({ ...request('/job'), delay: 300, job })).body.id);
    const states = await Promise.all(ids.map(async (id) => (await ended(id)).state));
    assert.deepEqual(states, ['cancelled', 'cancelled', 'succeeded']);
    assert.equal(outside.served.filter(({ path }) => path === '/job').length, 1);
  });

  it('leaves the events its catalogue promises', async () => {
    const done = (await start(request('/told'))).body.id;
    await ended(done);
    const job = { key: 'told', mode: 'replace' };
    const replaced = (await start({ ...request('/told'), delay: 60_000, job })).body.id;
    await start({ ...request('/told'), delay: 60_000, job });
    await ended(replaced);
    const client = new pg.Client(database);
    await client.connect();
    try {
      await client.query('set role linkspan_hub');
      const { rows } = await client.query<{
        type: keyof typeof eventCatalogue;
        subject: string;
        data: string;
      }>(
        'select type, subject, data from linkspan.events where subject = any ($1) order by transaction_id, position',
        [[done, replaced]],
      );
      const told = rows.map(({ type, subject }) => [subject === done ? 'done' : 'replaced', type]);
      assert.deepEqual(told, [
        ['done', 'linkspan.call.ended'],
        ['replaced', 'linkspan.call.ended'],
      ]);
      for (const { type, data } of rows)
        assert.deepEqual(compileCheck(eventCatalogue[type].data)(JSON.parse(data)), []);
    } finally {
      await client.end();
    }
  });

  it('answers bad input clearly, and starts nothing', async () => {
    const unknown = await start({ action: 'no/such', input: {} });
    assert.equal(unknown.status, 404);
    assert.equal(unknown.body.code, 'action_not_found');
    const wrong = await start({ action: 'http/request', input: { method: 'BREW', body: { xml: 1 } } });
    assert.equal(wrong.status, 422);
    assert.ok(wrong.body.faults.length >= 3);
    assert.equal((await start({ action: 'http/request', input: {}, polcy: {} })).status, 400);
    assert.equal((await start({ ...request('/x'), policy: { attempts: 0 } })).status, 400);
    assert.equal((await ask('GET', '/api/v1/calls/00000000-0000-7000-8000-000000000000')).status, 404);
    assert.equal((await ask('GET', '/api/v1/calls/nonsense')).status, 400);
  });
});
