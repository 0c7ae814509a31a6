import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { query } from '../src/platform/database/query.testing.ts';
import { callScene, requestOf, type Answer } from './support/call-scene.ts';

const SECRET = 'canary-of-the-redrive-tests-5512';

interface Redriven {
  readonly of: string;
  readonly id: string;
  readonly problem: { readonly code: string } | null;
}

describe('redriving ended calls', () => {
  const scene = callScene(1);
  const ask = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    scene.ask('POST', '/api/v1/redrives', { body, headers });
  const ended = async (path: string, state: string, more: object = {}) => {
    const id = await scene.start({ ...requestOf(scene, path), ...more });
    await scene.until(id, state);
    return id;
  };
  /** Counts, confirms, and gives the new calls. */
  async function redrive(body: object, headers?: Record<string, string>): Promise<Redriven[]> {
    const plan = await ask(body, headers);
    assert.equal(plan.status, 200, plan.text);
    const { count, digest } = plan.body;
    const done = await ask({ ...body, confirm: { count, digest } }, headers);
    assert.equal(done.status, 202, done.text);
    return done.body['calls'] as Redriven[];
  }
  const served = (path: string) => scene.served.filter((one) => one.path === path);

  it('counts first, and starts nothing until that is confirmed', async () => {
    const ids = [await ended('/fails/count', 'failed'), await ended('/fails/count', 'failed')];
    const plan = await ask({ ids });
    assert.equal(plan.status, 200);
    assert.deepEqual([plan.body['count'], plan.body['ids'], plan.body['next']], [2, ids, null]);
    const digest = String(plan.body['digest']);
    for (const confirm of [
      { count: 1, digest },
      { count: 2, digest: 'other' },
    ]) {
      const { status, body } = await ask({ ids, confirm });
      assert.deepEqual([status, body['code']], [409, 'redrive_changed']);
    }
    const fewer = await ask({ ids: ids.slice(1), confirm: { count: 1, digest } });
    assert.equal(fewer.body['code'], 'redrive_changed');
    assert.equal(served('/fails/count').length, 2);
    assert.equal((await ask({ ids, confirm: { count: 2, digest } })).status, 202);
  });

  it('makes a new call with the input, secrets, context, deadline and retention of the old one', async () => {
    const more = { context: { task: 1 }, deadline: 600_000, retention: 'long' };
    const old = await scene.start({
      ...requestOf(scene, '/fails/whole', { auth: { bearer: SECRET } }),
      ...more,
    });
    const before = await scene.until(old, 'failed');
    const [again] = await redrive({ ids: [old] });
    assert.deepEqual([again?.of, again?.problem], [old, null]);
    assert.notEqual(again?.id, old);
    const call = await scene.until(String(again?.id), 'failed');
    assert.equal(call['redriveOf'], old);
    assert.deepEqual(call['context'], { task: 1 });
    const given = Date.parse(String(call['deadline'])) - Date.parse(String(call['createdAt']));
    assert.ok(Math.abs(given - 600_000) < 1_000, `${given} ms`);
    assert.deepEqual(
      served('/fails/whole').map(({ headers }) => headers.authorization),
      [`Bearer ${SECRET}`, `Bearer ${SECRET}`],
    );
    const rows = await query<{ text: string; retention: number }>(
      scene.database,
      `select c::text as text, retention from calls c where call_id in ('${old}', '${again?.id}')`,
      'linkspan_hub',
    );
    assert.deepEqual(
      rows.map(({ retention }) => retention),
      [3, 3],
    );
    assert.ok(!JSON.stringify(rows).includes(SECRET));
    // Ended is final.
    assert.deepEqual(await scene.until(old, 'failed'), before);
  });

  it('takes an edited input for one call, which gets no secret of the old one', async () => {
    const old = await scene.start(requestOf(scene, '/fails/edit', { auth: { bearer: SECRET } }));
    await scene.until(old, 'failed');
    const input = { url: `${scene.outside}/edited` };
    const [again] = await redrive({ ids: [old], input });
    assert.equal(again?.problem, null);
    await scene.until(again.id, 'succeeded');
    assert.equal(served('/edited')[0]?.headers.authorization, undefined);
    const wrong = await ask({ ids: [old], input: { method: 'BREW' } });
    assert.deepEqual([wrong.status, wrong.body['code']], [422, 'input_invalid']);
    const { body } = await ask({ ids: [old], input });
    const other = { url: `${scene.outside}/elsewhere` };
    const confirm = { count: 1, digest: body['digest'] };
    assert.equal((await ask({ ids: [old], input: other, confirm })).body['code'], 'redrive_changed');
  });

  it('takes a filter, the failed ones when it names no state', async () => {
    const from = new Date().toISOString();
    const failed = [await ended('/fails/f', 'failed'), await ended('/fails/f', 'failed')];
    const fine = await ended('/fine', 'succeeded');
    const cancelled = await scene.start({ ...requestOf(scene, '/c'), delay: 600_000 });
    await scene.ask('POST', `/api/v1/calls/${cancelled}/cancel`);
    const to = new Date(Date.now() + 1).toISOString();
    const chosen = async (filter: object) => (await ask({ filter: { from, to, ...filter } })).body['ids'];
    assert.deepEqual(new Set((await chosen({})) as string[]), new Set(failed));
    assert.deepEqual(await chosen({ state: 'succeeded' }), [fine]);
    assert.deepEqual(await chosen({ state: 'cancelled' }), [cancelled]);
    assert.deepEqual(await chosen({ action: 'example/echo' }), []);
    const calls = await redrive({ filter: { from, to } });
    assert.deepEqual(new Set(calls.map(({ of }) => of)), new Set(failed));
  });

  it('starts no call twice under one Idempotency-Key', async () => {
    const ids = [await ended('/fails/once', 'failed')];
    const key = { 'idempotency-key': 'redrive-once' };
    const first = await redrive({ ids }, key);
    const second = await redrive({ ids }, key);
    assert.equal(first[0]?.id, second[0]?.id);
    const other = await redrive({ ids });
    assert.notEqual(other[0]?.id, first[0]?.id);
  });

  it('says of each call that could not be started why, and starts the others', async () => {
    const ids = [await ended('/fails/gone', 'failed'), await ended('/fails/gone', 'failed')];
    await query(scene.database, `update calls set action = 'gone/away' where call_id = '${ids[0]}'`);
    const calls = await redrive({ ids });
    assert.deepEqual(
      calls.map(({ of, problem }) => [of, problem?.code]),
      [
        [ids[0], 'action_not_found'],
        [ids[1], undefined],
      ],
    );
    assert.equal(calls[0]?.id, null);
    await scene.until(String(calls[1]?.id), 'failed');
  });

  it('takes 1000 calls, in the order given, and tells how to go on', async () => {
    const { tenant } = (
      await query<{ tenant: string }>(
        scene.database,
        'select tenant_id as tenant from calls limit 1',
        'linkspan_hub',
      )
    )[0]!;
    await query(
      scene.database,
      `with made as (
         insert into calls (tenant_id, call_id, retention, action, target, input)
         select '${tenant}', ('00000000-' || lpad(to_hex(nth), 4, '0') || '-7200-8000-000000000000')::uuid, 2,
                'example/echo', 'example', '{"message":"again"}'
         from generate_series(1, 1500) as nth
         returning *
       )
       insert into ended_calls (tenant_id, call_id, retention, action, state, attempts)
       select tenant_id, call_id, 2, action, 'failed', 1 from made`,
      'linkspan_hub',
    );
    const filter = { action: 'example/echo' };
    const plan = await ask({ filter });
    assert.equal(plan.body['count'], 1_000);
    const calls = await redrive({ filter });
    assert.equal(new Set(calls.map(({ id }) => id)).size, 1_000);
    assert.deepEqual(
      calls.map(({ of }) => of),
      plan.body['ids'],
    );
    const rest = await ask({ filter: { ...filter, after: plan.body['next'] } });
    assert.deepEqual([rest.body['count'], rest.body['next']], [500, null]);
  });

  it('leaves an entry in the audit for looking and for doing', async () => {
    const ids = [await ended('/fails/audit', 'failed')];
    await redrive({ ids });
    const entries = await query<{ changes: { count: number; dryRun?: boolean } }>(
      scene.database,
      `select changes from audit_entries where resource = 'call' and action = 'redrive' order by entry_id desc limit 2`,
      'linkspan_hub',
    );
    // The newest first: it was looked at before it was done.
    assert.deepEqual(
      entries.map(({ changes }) => [changes.count, changes.dryRun === true]),
      [
        [1, false],
        [1, true],
      ],
    );
  });

  it('answers bad input clearly, and starts nothing', async () => {
    const id = await ended('/fails/bad', 'failed');
    const open = await scene.start({ ...requestOf(scene, '/open'), delay: 600_000 });
    const none = '00000000-0000-7200-8000-000000000000';
    const bad: [unknown, number, string][] = [
      [{}, 400, 'redrive_invalid'],
      [{ ids: [id], filter: {} }, 400, 'redrive_invalid'],
      [{ ids: [id, open], input: {} }, 400, 'redrive_invalid'],
      [{ filter: {}, input: {} }, 400, 'redrive_invalid'],
      [{ ids: [] }, 400, 'invalid_request'],
      [{ ids: ['x'] }, 400, 'invalid_request'],
      [{ ids: [id, id] }, 400, 'invalid_request'],
      [{ ids: Array.from({ length: 1_001 }, () => crypto.randomUUID()) }, 400, 'invalid_request'],
      [{ filter: { state: 'queued' } }, 400, 'invalid_request'],
      [{ filter: { form: 'x' } }, 400, 'invalid_request'],
      [{ filter: { from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' } }, 400, 'period_empty'],
      [{ ids: [id], confirm: {} }, 400, 'invalid_request'],
      [{ ids: [id, none] }, 404, 'call_not_found'],
      [{ ids: [id, open] }, 409, 'redrive_not_ended'],
    ];
    for (const [body, status, code] of bad) {
      const answer = await ask(body);
      assert.deepEqual(
        [answer.status, answer.body['code']],
        [status, code],
        JSON.stringify(body).slice(0, 200),
      );
    }
    assert.equal((await ask({ ids: [id] }, { 'idempotency-key': 'ä' })).status, 400);
    assert.equal(served('/fails/bad').length, 1);
  });
});
