import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { connectors } from '@linkspan/connectors';
import { Registry } from 'prom-client';
import { actorOf, permissionCatalogue, permits, type Caller, type HubTerms } from '../access/index.ts';
import { auditVocabulary } from '../audit/index.ts';
import { systemClock } from '../platform/clock.ts';
import { createHttp } from '../platform/http/index.ts';
import { createLog } from '../platform/log.ts';
import { catalogErrors, catalogRoutes, createCatalog } from './index.ts';

const CALLERS: Readonly<Record<string, Caller>> = {
  reader: { tenant: 't', principal: 'p', grants: new Set(['catalog:read']) },
  nobody: { tenant: 't', principal: 'p', grants: new Set() },
};

interface Shown {
  readonly id: string;
  readonly [field: string]: unknown;
}

async function start(t: TestContext) {
  const http = await createHttp<HubTerms>({
    routes: catalogRoutes({ catalog: createCatalog(connectors) }),
    permissions: permissionCatalogue,
    audits: auditVocabulary,
    errors: Object.values(catalogErrors),
    authenticate: async (token) => CALLERS[token],
    permits: (caller, permission) => permits(caller.grants, permission),
    actorOf,
    metricsPermission: 'metrics:read',
    checks: {},
    registry: new Registry(),
    log: createLog({ level: 'silent' }),
    clock: systemClock,
    version: '0.0.0',
    checked: true,
  });
  t.after(() => http.close(0));
  const address = await http.listen({ host: '127.0.0.1', port: 0 });
  return async (path: string, token = 'reader') => {
    const response = await fetch(`${address}/api/v1${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const body = (await response.json()) as { items: Shown[]; next: string | null } & Shown & {
        code?: string;
      };
    return { status: response.status, body };
  };
}

test('actions are listed with all a form, a tool or a person needs', async (t) => {
  const ask = await start(t);
  const { status, body } = await ask('/actions');
  assert.equal(status, 200);
  const request = body.items.find(({ id }) => id === 'http/request')!;
  const { errors, examples, input, ...rest } = request as Shown & {
    errors: { code: string; retry: string }[];
    examples: { title: string }[];
    input: {
      type: string;
      properties: Record<string, Record<string, unknown>>;
      additionalProperties: boolean;
    };
  };
  assert.deepEqual([rest['connector'], rest['effect'], rest['repeat']], ['http', 'write', 'depends']);
  assert.deepEqual([input.type, input.additionalProperties], ['object', false]);
  assert.equal(input.properties['secretHeaders']?.['x-secret'], true);
  assert.ok(errors.some(({ code, retry }) => code === 'http_rate_limited' && retry === 'rate_limited'));
  assert.ok(examples.length > 0);
});

test('lists come in pages that join without gap or overlap', async (t) => {
  const ask = await start(t);
  for (const path of ['/actions', '/connectors']) {
    const all = (await ask(path)).body;
    assert.equal(all.next, null);
    const seen: string[] = [];
    let next: string | null = '';
    do {
      const { body }: Awaited<ReturnType<typeof ask>> = await ask(
        `${path}?limit=1&after=${encodeURIComponent(next)}`,
      );
      seen.push(...body.items.map(({ id }) => id));
      next = body.next;
    } while (next !== null && seen.length < 100);
    assert.deepEqual(
      seen,
      all.items.map(({ id }) => id),
    );
  }
});

test('a connector names its actions; one that is not there has an error of its own', async (t) => {
  const ask = await start(t);
  const { body } = await ask('/connectors/example');
  assert.deepEqual(body['actions'], ['example/callback', 'example/echo', 'example/wait']);
  const missing = await ask('/connectors/nothing');
  assert.deepEqual([missing.status, missing.body.code], [404, 'connector_not_found']);
  assert.equal((await ask('/connectors/No')).status, 400);
});

test('who may not read the catalog does not', async (t) => {
  const ask = await start(t);
  for (const path of ['/actions', '/connectors', '/connectors/http']) {
    assert.equal((await ask(path, 'nobody')).status, 403);
    assert.equal((await ask(path, 'unknown')).status, 401);
  }
});
