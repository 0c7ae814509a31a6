import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { query } from '../src/platform/database/query.testing.ts';
import { callScene, requestOf } from './support/call-scene.ts';
import { ADMIN } from './support/hub-process.ts';

interface Item {
  readonly id: string;
  readonly action: string;
  readonly state: string;
  readonly askedAt: string;
  readonly principal: string;
  readonly attempts: number;
}

describe('the list of calls', () => {
  const scene = callScene(1);
  const list = async (text: string, token = ADMIN) => {
    const { status, body } = await scene.ask('GET', `/api/v1/calls?${text}`, { token });
    assert.equal(status, 200, JSON.stringify(body));
    return body as { items: Item[]; next: string | null };
  };
  const idsOf = async (text: string, token?: string) => (await list(text, token)).items.map(({ id }) => id);

  /** Every page, one after another; `between` happens after each. */
  async function walk(text: string, between: () => Promise<unknown> = async () => {}): Promise<string[]> {
    const ids: string[] = [];
    for (let after = ''; ;) {
      const { items, next } = await list(`${text}${after}`);
      ids.push(...items.map(({ id }) => id));
      if (next === null) return ids;
      assert.notEqual(after, `&after=${next}`, 'each page goes further');
      after = `&after=${next}`;
      await between();
    }
  }

  it('shows the newest first, unfinished or ended, of every retention', async () => {
    const ids: string[] = [];
    const bodies = [
      requestOf(scene, '/a'),
      { ...requestOf(scene, '/b'), retention: 'brief' },
      { ...requestOf(scene, '/c'), delay: 600_000, retention: 'long' },
      requestOf(scene, '/fails'),
      { ...requestOf(scene, '/d'), delay: 600_000 },
    ];
    for (const body of bodies) {
      ids.push(await scene.start(body));
      await aMillisecond();
    }
    await scene.until(ids[0]!, 'succeeded');
    await scene.until(ids[1]!, 'succeeded');
    await scene.until(ids[3]!, 'failed');
    assert.deepEqual(await idsOf(''), ids.toReversed());
    assert.deepEqual(await walk('limit=1'), ids.toReversed());
    assert.deepEqual(await walk('limit=2'), ids.toReversed());
    assert.deepEqual(
      (await list('')).items.map(({ state }) => state),
      ['queued', 'failed', 'queued', 'succeeded', 'succeeded'],
    );
    assert.deepEqual(await idsOf('state=queued'), [ids[4], ids[2]]);
    assert.deepEqual(await walk('state=succeeded&limit=1'), [ids[1], ids[0]]);
    const [failed] = (await list('state=failed')).items;
    assert.equal(failed?.attempts, 1);
  });

  it('filters by action, principal and time', async () => {
    const from = new Date().toISOString();
    const { body } = await scene.ask('POST', '/api/v1/tokens', {
      body: { name: 'somebody', permissions: ['calls:write', 'calls:read'] },
    });
    const id = await scene.start(
      { action: 'example/echo', input: { message: 'Hello' } },
      { token: String(body['token']) },
    );
    await scene.until(id, 'succeeded');
    const to = new Date(Date.now() + 1).toISOString();
    await aMillisecond();
    const after = await scene.start(requestOf(scene, '/after'));
    const [mine] = (await list('action=example/echo')).items;
    assert.equal(mine?.id, id);
    assert.deepEqual(await idsOf(`principal=${mine.principal}`), [id]);
    assert.deepEqual(await idsOf(`from=${from}&to=${to}`), [id]);
    assert.deepEqual(await idsOf(`from=${to}`), [after]);
    assert.deepEqual(await idsOf('action=no/such'), []);
    const everything = await walk('');
    assert.deepEqual(await walk(`to=${from}`), everything.slice(2));
    assert.deepEqual(await idsOf('from=0001-01-01T00:00:00Z&to=9999-01-01T00:00:00Z'), everything);
  });

  it('neither skips nor repeats a call that ends while it is read', async () => {
    const ids: string[] = [];
    for (let nth = 0; nth < 12; nth++) {
      ids.push(await scene.start({ ...requestOf(scene, '/w'), delay: 600_000 }));
      await aMillisecond();
    }
    const from = `from=${askedAt(ids[0]!)}`;
    const left = [...ids];
    const seen = await walk(`limit=3&${from}`, async () => {
      // The newest and the oldest of what is left: pages that were read, and pages to come.
      for (const id of [left.pop()!, left.shift()!])
        assert.equal((await scene.ask('POST', `/api/v1/calls/${id}/cancel`)).status, 202);
    });
    assert.deepEqual(seen, ids.toReversed());
  });

  it('looks at so many calls and goes on from there when few pass the filter', async () => {
    const tenant = await query<{ id: string }>(
      scene.database,
      'select tenant_id as id from calls limit 1',
      'linkspan_hub',
    );
    // 12,000 ended calls of long ago, of which the oldest alone is wanted.
    await query(
      scene.database,
      `insert into ended_calls (tenant_id, call_id, retention, action, state, attempts)
       select '${tenant[0]!.id}', ('00000000-' || lpad(to_hex(nth), 4, '0') || '-7200-8000-000000000000')::uuid, 2,
              case nth when 1 then 'old/one' else 'old/other' end, 'succeeded', 1
       from generate_series(1, 12000) as nth`,
      'linkspan_hub',
    );
    // And one that has not ended, older than all of them.
    const oldest = '00000000-0000-7200-8000-000000000000';
    await query(
      scene.database,
      [
        `insert into calls (tenant_id, call_id, retention, action, target, input)
         values ('${tenant[0]!.id}', '${oldest}', 2, 'old/one', 'old', '{}')`,
        `insert into unfinished_calls (tenant_id, call_id, state, lane, ready)
         values ('${tenant[0]!.id}', '${oldest}', 'held', 0, false)`,
      ],
      'linkspan_hub',
    );
    const first = await list('action=old/one');
    assert.deepEqual(first.items, []);
    assert.notEqual(first.next, null);
    assert.deepEqual(await walk('action=old/one'), ['00000000-0001-7200-8000-000000000000', oldest]);
    assert.equal((await walk('action=old/other&limit=200')).length, 11_999);
  });

  it('shows one tenant nothing of another', async () => {
    await scene.ask('POST', '/api/v1/tenants', { body: { name: 'other' } });
    const { body } = await scene.ask('POST', '/api/v1/tokens', {
      body: { name: 'there', permissions: ['*'], tenant: 'other' },
    });
    const token = String(body['token']);
    const [mine] = await idsOf('limit=1');
    assert.deepEqual(await idsOf('', token), []);
    assert.equal((await scene.ask('GET', `/api/v1/calls/${mine}/result`, { token })).status, 404);
    const redrive = await scene.ask('POST', '/api/v1/redrives', { token, body: { ids: [mine] } });
    assert.deepEqual([redrive.status, redrive.body['code']], [404, 'call_not_found']);
    const theirs = await scene.start(requestOf(scene, '/theirs'), { token });
    assert.deepEqual(await idsOf('', token), [theirs]);
    assert.ok(!(await idsOf('limit=200')).includes(theirs));
  });

  it('answers bad input clearly', async () => {
    const bad: [string, string][] = [
      ['state=done', 'invalid_request'],
      ['state=continuing', 'invalid_request'],
      ['action=nonsense', 'invalid_request'],
      ['principal=me', 'invalid_request'],
      ['from=yesterday', 'invalid_request'],
      ['after=1', 'invalid_request'],
      ['limit=0', 'invalid_request'],
      ['limit=201', 'invalid_request'],
      ['limit=1&limit=2', 'invalid_request'],
      ['what=1', 'invalid_request'],
      ['from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z', 'period_empty'],
    ];
    for (const [text, code] of bad) {
      const { status, body } = await scene.ask('GET', `/api/v1/calls?${text}`);
      assert.deepEqual([status, body['code']], [400, code], text);
    }
  });
});

function askedAt(id: string): string {
  return new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toISOString();
}

/** Ids of one millisecond have no order; what follows is made in a later one. */
async function aMillisecond(): Promise<void> {
  const now = Date.now();
  while (Date.now() === now) await new Promise(setImmediate);
}
