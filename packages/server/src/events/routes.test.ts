import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { sql } from 'kysely';
import { Registry } from 'prom-client';
import { cloneDatabase, type Scope } from '../../test/support/database.ts';
import {
  accessErrors,
  accessRoutes,
  actorOf,
  createAuthenticator,
  ensureAdministrator,
  permissionCatalogue,
  permits,
  type HubTerms,
} from '../access/index.ts';
import { auditVocabulary } from '../audit/index.ts';
import { systemClock } from '../platform/clock.ts';
import type { DatabaseTarget } from '../platform/database/index.ts';
import { query } from '../platform/database/query.testing.ts';
import { createHttp } from '../platform/http/index.ts';
import { eventErrors } from './errors.ts';
import type { CloudEvent } from './event.ts';
import { anEvent, innerScope, silent, startEventNode, type NodeOptions } from './events.testing.ts';
import { eventRoutes } from './routes.ts';

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** A node that serves the routes of events and access. */
async function serve(scope: Scope, target: DatabaseTarget, options: NodeOptions = {}) {
  const node = await startEventNode(scope, target, options);
  const { events, database } = node;
  const { newToken = '' } = await ensureAdministrator(database, { tokenConfigured: false });
  const authenticator = createAuthenticator({ database, now: Date.now });
  const http = await createHttp<HubTerms>({
    routes: [
      ...eventRoutes(events.ports),
      ...accessRoutes({
        database,
        revoked: (id) => authenticator.forget(id),
        emit: (tx, event) => events.emit(tx, event),
        now: Date.now,
      }),
    ],
    permissions: permissionCatalogue,
    audits: auditVocabulary,
    errors: [...Object.values(accessErrors), ...Object.values(eventErrors)],
    authenticate: (text) => authenticator.authenticate(text),
    permits: (caller, permission) => permits(caller.grants, permission),
    actorOf,
    metricsPermission: 'metrics:read',
    checks: {},
    registry: new Registry(),
    log: silent,
    clock: systemClock,
    version: '0.0.0',
    checked: true,
  });
  const address = await http.listen({ host: '127.0.0.1', port: 0 });
  scope.after(() => http.close(0));
  const ask = async (token: string, method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${address}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  };
  return { ...node, http, address, newToken, ask };
}

async function start(t: TestContext, options: NodeOptions = {}) {
  const target = await cloneDatabase(t);
  const scope = innerScope(t);
  const near = await serve(scope, target, options);
  const far = await serve(scope, target);
  const publish = (data: unknown, more: object = {}) =>
    near.ask(near.newToken, 'POST', '/api/v1/events', { type: 'app.test', source: '/mine', data, ...more });
  const stream = (path = '', headers: Record<string, string> = {}, token = near.newToken) =>
    openStream(scope, far.address, token, path, headers);
  return { near, far, publish, stream, token: near.newToken };
}

interface Message {
  readonly id: string;
  readonly event: string;
  readonly data: CloudEvent & { readonly reason?: string };
}

/** A client of server-sent events, as the HTML standard reads them. */
class Stream {
  readonly response: IncomingMessage;
  readonly messages: Message[] = [];
  lastId = '';
  ended = false;
  #text = '';
  #told = Promise.withResolvers<void>();

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.#take(text)).on('close', () => this.#end());
    response.on('error', () => {});
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      this.#told = Promise.withResolvers();
      await this.#told.promise;
    }
  }

  get data(): unknown[] {
    return this.messages.filter(({ event }) => event === 'message').map(({ data }) => data.data);
  }

  close(): void {
    this.response.destroy();
  }

  #take(text: string): void {
    const blocks = (this.#text + text).split('\n\n');
    this.#text = blocks.pop() ?? '';
    for (const block of blocks) this.#block(block);
    this.#told.resolve();
  }

  #block(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [name = '', ...value] = line.split(': ');
      if (name !== '') fields.set(name, value.join(': '));
    }
    this.lastId = fields.get('id') ?? this.lastId;
    const data = fields.get('data');
    if (data !== undefined)
      this.messages.push({
        id: this.lastId,
        event: fields.get('event') ?? 'message',
        data: JSON.parse(data) as Message['data'],
      });
  }

  #end(): void {
    this.ended = true;
    this.#told.resolve();
  }
}

async function openStream(
  scope: Scope,
  address: string,
  token: string,
  path: string,
  headers: Record<string, string>,
): Promise<Stream> {
  const sent = request(`${address}/api/v1/events${path}`, {
    agent: false,
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  assert.match(String(response.headers['content-type']), /^text\/event-stream/);
  const stream = new Stream(response);
  scope.after(() => stream.close());
  await stream.until(() => stream.lastId !== '');
  return stream;
}

describe('publishing', { timeout: 60_000 }, () => {
  it('keeps the event as it was sent, with whose it is, and notes it in the audit', async (t) => {
    const { publish, stream, near } = await start(t);
    const reader = await stream();
    const sent = {
      id: 'mine-1',
      time: '2026-01-02T03:04:05.678+02:00',
      subject: 'order 1',
      correlation: 'c',
      causation: 'b',
      dataschema: 'urn:mine',
      datacontenttype: 'application/json',
      specversion: '1.0',
    };
    const answer = await publish({ total: 5 }, sent);
    assert.deepEqual(answer, {
      status: 201,
      body: { id: 'mine-1', type: 'app.test', time: sent.time },
    });
    await reader.until(() => reader.messages.length === 1);
    const { tenant, actor, ...event } = reader.messages[0]!.data;
    assert.deepEqual(event, {
      ...sent,
      type: 'app.test',
      source: '/mine',
      data: { total: 5 },
      partitionkey: 'order 1',
    });
    assert.match(`${tenant} ${actor}`, /^[0-9a-f-]{36} [0-9a-f-]{36}$/);
    const audited = await near.database.acrossTenants((tx) =>
      tx.selectFrom('audit_entries').select(['target', 'changes']).where('resource', '=', 'event').execute(),
    );
    assert.deepEqual(audited, [{ target: 'mine-1', changes: { type: 'app.test' } }]);
  });

  it('refuses types of the hub and of nobody, wrong attributes, and callers without the permission', async (t) => {
    const { publish, near, token } = await start(t);
    for (const type of ['linkspan.call.ended', 'application.x', 'other.thing'])
      assert.equal((await publish(1, { type })).body['code'], 'event_type_refused', type);
    for (const wrong of [
      { type: 'app' },
      { type: 'app.\u0000' },
      { tenant: 'another' },
      { actor: 'root' },
      { subject: 'two\nlines' },
      { time: 'soon' },
      { specversion: '0.3' },
    ])
      assert.equal((await publish(1, wrong)).body['code'], 'invalid_request', JSON.stringify(wrong));
    const made = await near.ask(token, 'POST', '/api/v1/tokens', { name: 'r', permissions: ['events:read'] });
    const reader = String(made.body['token']);
    assert.equal(
      (await near.ask(reader, 'POST', '/api/v1/events', { type: 'app.x', source: '/' })).status,
      403,
    );
    assert.equal((await near.ask(reader, 'GET', '/api/v1/consumers')).status, 403);
  });

  it('is undone, with its audit entry, when a listener in the transaction refuses', async (t) => {
    const { publish, near } = await start(t, {
      listeners: [
        {
          when: 'in_transaction',
          name: 'guard',
          types: ['app'],
          handle: () => Promise.reject(new Error('closed on Sundays')),
        },
      ],
    });
    const answer = await publish(1);
    assert.deepEqual([answer.status, answer.body['code']], [422, 'event_refused']);
    assert.equal(answer.body['detail'], 'guard: closed on Sundays');
    const rows = await near.database.acrossTenants((tx) =>
      sql`select 1 from events where type = 'app.test' union all select 1 from audit_entries where resource = 'event'`.execute(
        tx,
      ),
    );
    assert.deepEqual(rows.rows, []);
  });
});

describe('the stream', { timeout: 60_000 }, () => {
  it('brings what another node writes: of people and of the hub itself', async (t) => {
    const { near, publish, stream, token } = await start(t);
    const reader = await stream();
    await publish('hello');
    const made = await near.ask(token, 'POST', '/api/v1/tokens', {
      name: 'arena',
      permissions: ['calls:read'],
    });
    await near.ask(token, 'DELETE', `/api/v1/tokens/${String(made.body['id'])}`);
    await near.ask(token, 'POST', '/api/v1/tenants', { name: 'acme' });
    await reader.until(() => reader.messages.length === 4);
    assert.deepEqual(
      reader.messages.map(({ data }) => data.type),
      ['app.test', 'linkspan.token.created', 'linkspan.token.revoked', 'linkspan.tenant.created'],
    );
    assert.deepEqual(reader.messages[1]?.data.data, {
      name: 'arena',
      permissions: ['calls:read'],
      expiresAt: null,
    });
    assert.ok(!JSON.stringify(reader.messages).includes(String(made.body['token'])));
  });

  it('is filtered', async (t) => {
    const { publish, stream } = await start(t);
    const [orders, one] = [await stream('?type=app.order'), await stream('?subject=a&correlation=c')];
    await publish(1, { type: 'app.order.placed' });
    await publish(2, { subject: 'a', correlation: 'c' });
    await publish(3, { type: 'app.orders', subject: 'a' });
    await publish(4, { type: 'app.order.sent', subject: 'a', correlation: 'c' });
    await Promise.all([orders.until(() => orders.data.length === 2), one.until(() => one.data.length === 2)]);
    assert.deepEqual(
      [orders.data, one.data],
      [
        [1, 4],
        [2, 4],
      ],
    );
  });

  it('goes on where it was left, over many reconnects, without gap and without repetition', async (t) => {
    const { near, stream } = await start(t);
    const { tenant } = await mainTenant(near);
    const COUNT = 600;
    const writers = [0, 1, 2].map(async (writer) => {
      for (let n = writer; n < COUNT; n += 3)
        await near.database.asTenant(tenant, (tx) =>
          near.events.ports.writer.append(tx, [anEvent(tenant, { data: n, partitionkey: `w${writer}` })]),
        );
    });
    const read: unknown[] = [];
    for (let last = '0.0', turn = 0; read.length < COUNT; turn++) {
      const reader = await stream(turn % 2 ? '?after=0.0' : '', { 'last-event-id': last });
      await reader.until(() => reader.data.length >= Math.min(40, COUNT - read.length));
      reader.close();
      read.push(...reader.data);
      last = reader.lastId;
    }
    await Promise.all(writers);
    assert.deepEqual(
      read.toSorted((a, b) => Number(a) - Number(b)),
      Array.from({ length: COUNT }, (_, n) => n),
    );
    for (const writer of [0, 1, 2]) {
      const own = read.filter((n) => Number(n) % 3 === writer);
      assert.deepEqual(
        own,
        own.toSorted((a, b) => Number(a) - Number(b)),
      );
    }
  });

  it('never shows a tenant the events of another', async (t) => {
    const { near, far, publish, token } = await start(t);
    await near.ask(token, 'POST', '/api/v1/tenants', { name: 'acme' });
    const made = await near.ask(token, 'POST', '/api/v1/tokens', {
      name: 'theirs',
      tenant: 'acme',
      permissions: ['events:read', 'events:publish'],
    });
    const theirs = String(made.body['token']);
    const reader = await openStream(innerScope(t), far.address, theirs, '?after=0.0', {});
    await publish('ours');
    await near.ask(theirs, 'POST', '/api/v1/events', { type: 'app.test', source: '/theirs', data: 'theirs' });
    await publish('ours again');
    await near.ask(theirs, 'POST', '/api/v1/events', { type: 'app.test', source: '/theirs', data: 'last' });
    await reader.until(() => reader.data.includes('last'));
    // Their own token was made in their tenant.
    assert.deepEqual(
      reader.messages.map(({ data }) => data.type === 'app.test' && data.data),
      [false, 'theirs', 'last'],
    );
  });

  it('refuses positions that are none, or whose events are gone', async (t) => {
    const { near, token } = await start(t);
    const ask = (after: string) => near.ask(token, 'GET', `/api/v1/events?after=${after}`);
    assert.equal((await ask('abc')).body['code'], 'invalid_request');
    assert.equal((await ask('999999999999.1')).body['code'], 'event_position_invalid');
    await query(near.database.target, 'update linkspan.topics set dropped_through = 100');
    assert.deepEqual((await ask('99.1')).body['code'], 'event_position_expired');
    const headers = { authorization: `Bearer ${token}`, 'last-event-id': 'x' };
    const answer = await fetch(`${near.address}/api/v1/events`, { headers });
    assert.equal(((await answer.json()) as { code: string }).code, 'event_position_invalid');
  });

  it('ends with a word when the hub drains', async (t) => {
    const { far, stream } = await start(t);
    const reader = await stream();
    far.events.endStreams();
    await reader.until(() => reader.ended);
    assert.deepEqual(
      reader.messages.map(({ event, data }) => [event, data.reason]),
      [['closed', 'draining']],
    );
  });
});

describe('consumers', { timeout: 60_000 }, () => {
  it('are shown, moved and made to try again', async (t) => {
    const seen: unknown[] = [];
    let broken = true;
    const { near, publish, token } = await start(t, {
      listeners: [
        {
          when: 'async',
          name: 'ear',
          types: ['app'],
          from: 'start',
          onFailure: 'park',
          retry: { attempts: 1 },
          async handle({ data }) {
            if (data === 'bad' && broken) throw new Error('on purpose');
            seen.push(data);
          },
        },
      ],
    });
    const ask = (method: string, path: string, body?: unknown) =>
      near.ask(token, method, `/api/v1/consumers${path}`, body);
    const consumer = async () => ((await ask('GET', '')).body['items'] as Record<string, unknown>[])[0]!;
    const until = async (holds: (shown: Record<string, unknown>) => boolean) => {
      for (let shown = await consumer(); ; shown = await consumer()) {
        if (holds(shown)) return shown;
        t.signal.throwIfAborted();
      }
    };
    await publish('good');
    await publish('bad');
    const shown = await until(({ dead, lag }) => dead === 1 && lag === 0);
    assert.deepEqual([shown['name'], shown['errors']], ['ear', ['failed']]);
    assert.ok(!JSON.stringify(shown).includes('on purpose'));

    assert.deepEqual(await ask('POST', '/ear/replay', {}), { status: 200, body: { count: 1, dryRun: true } });
    broken = false;
    assert.deepEqual((await ask('POST', '/ear/replay', { dryRun: false })).body, { count: 1, dryRun: false });
    await until(({ dead, retrying }) => dead === 0 && retrying === 0);
    assert.deepEqual(seen, ['good', 'bad']);

    assert.equal((await ask('POST', '/ear/seek', { to: 'start' })).status, 204);
    await until(() => seen.length === 4);
    assert.deepEqual(seen.slice(2).toSorted(), ['bad', 'good']);
    assert.equal((await ask('POST', '/ear/seek', { to: 'time' })).body['code'], 'event_position_invalid');
    assert.equal((await ask('POST', '/nose/seek', { to: 'end' })).body['code'], 'consumer_not_found');
    assert.equal((await ask('POST', '/nose/replay', {})).body['code'], 'consumer_not_found');
  });
});

async function mainTenant({ database }: Awaited<ReturnType<typeof serve>>): Promise<{ tenant: string }> {
  const { tenant_id } = await database.acrossTenants((tx) =>
    tx.selectFrom('tenants').select('tenant_id').where('name', '=', 'main').executeTakeFirstOrThrow(),
  );
  return { tenant: tenant_id };
}
