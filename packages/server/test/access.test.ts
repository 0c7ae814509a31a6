import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { permissionCatalogue } from '../src/access/index.ts';
import type { DatabaseTarget } from '../src/platform/database/index.ts';
import { query } from '../src/platform/database/query.testing.ts';
import type { Answer } from '../src/platform/http/testing.ts';
import { ADMIN, type HubProcess } from './support/hub-process.ts';
import { sharedHub } from './support/shared-hub.ts';

/** Every route of the hub, asked by whoever may and whoever may not. The list of routes is the hub's own document. */

/** Routes that ask nobody who they are, each for the reason it states. A further one has to be added here. */
const PUBLIC: Readonly<Record<string, RegExp>> = {
  'GET /healthz': /watches the process holds no token/,
  'GET /readyz': /load balancer holds no token/,
  'GET /openapi.json': /holds nothing of this hub/,
  'GET /docs': /holds nothing of this hub/,
  'GET /docs/errors': /holds nothing of this hub/,
  ...Object.fromEntries(
    ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => [
      `${method} /cb/{token}`,
      /address itself is the secret/,
    ]),
  ),
};

/** Routes that let this machine in without a token. */
const OPEN_TO_LOOPBACK = ['GET /metrics'];

interface Operation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly permission: string | undefined;
  readonly openBecause: string | undefined;
  readonly takesBody: boolean;
}

async function operationsOf(hub: HubProcess): Promise<Operation[]> {
  const { json } = await hub.ask({ path: '/openapi.json' });
  const paths = json['paths'] as Record<string, Record<string, Record<string, unknown>>>;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path: path.replace(/\{\w+\}/g, () => randomUUID()),
      permission: operation['x-permission'] as string | undefined,
      openBecause: operation['x-open-because'] as string | undefined,
      takesBody: operation['requestBody'] !== undefined,
    })),
  );
}

/** Asks as if from another machine, so that what is open to this one is not. */
function knock(hub: HubProcess, operation: Operation, token: string | null): Promise<Answer> {
  return hub.ask({
    method: operation.method,
    path: operation.path,
    token,
    // A stream without end is asked for from a place there is none of, so that its answer ends.
    headers: { 'x-forwarded-for': '192.0.2.7', 'last-event-id': 'none' },
    ...(operation.takesBody ? { body: '{}' } : {}),
  });
}

async function makeToken(hub: HubProcess, permissions: readonly string[]): Promise<Token> {
  const body = JSON.stringify({ name: 'for this test', permissions });
  const { status, json } = await hub.ask({ method: 'POST', path: '/api/v1/tokens', token: ADMIN, body });
  assert.equal(status, 201);
  return { id: String(json['id']), text: String(json['token']) };
}

interface Token {
  readonly id: string;
  readonly text: string;
}

/** Puts a token into the database that the API would not make. Gives its text. */
async function plantToken(target: DatabaseTarget, permissions: string, expiresAt: string): Promise<string> {
  const text = `lsp_${randomUUID()}`;
  await query(
    target,
    `insert into tokens (tenant_id, token_id, principal_id, name, digest, permissions, expires_at)
     select tenant_id, gen_random_uuid(), principal_id, 'planted', sha256('${text}'), ${permissions}, ${expiresAt}
     from principals limit 1`,
    'linkspan_hub',
  );
  return text;
}

describe('every route of the hub', () => {
  const hub = sharedHub();
  const everyPermission = Object.keys(permissionCatalogue);
  const guarded = async () =>
    (await operationsOf(hub.process)).filter(({ permission }) => permission !== undefined);

  it('asks for a permission, but for those that say why they do not', async () => {
    const operations = await operationsOf(hub.process);
    const open = operations.filter(({ permission }) => permission === undefined);
    assert.deepEqual(open.map(({ name }) => name).toSorted(), Object.keys(PUBLIC).toSorted());
    for (const { name, openBecause } of open) assert.match(openBecause ?? '', PUBLIC[name]!);
    assert.deepEqual(
      operations
        .filter(({ permission, openBecause }) => permission !== undefined && openBecause !== undefined)
        .map(({ name }) => name),
      OPEN_TO_LOOPBACK,
    );
    assert.ok(operations.length - open.length >= 10, 'most routes ask for one');
  });

  it('of those without serves whoever asks', async () => {
    const operations = await operationsOf(hub.process);
    for (const operation of operations.filter(({ permission }) => permission === undefined)) {
      // An address nobody was given is none.
      const expected = operation.name.endsWith('/cb/{token}') ? 404 : 200;
      assert.equal((await knock(hub.process, operation, null)).status, expected, operation.name);
    }
  });

  it('refuses who has no token, or one that nobody holds, that was revoked or has expired', async () => {
    const revoked = await makeToken(hub.process, ['*']);
    await hub.process.ask({ method: 'DELETE', path: `/api/v1/tokens/${revoked.id}`, token: ADMIN });
    const expired = await plantToken(hub.database, "'{*}'", "now() - interval '1 second'");
    const bad = { none: null, garbage: 'lsp_garbage', revoked: revoked.text, expired };
    for (const operation of await guarded())
      for (const [what, token] of Object.entries(bad)) {
        const { status, json, headers } = await knock(hub.process, operation, token);
        assert.equal(status, 401, `${operation.name}, token: ${what}`);
        assert.equal(json['code'], 'unauthenticated');
        assert.match(headers['www-authenticate'] ?? '', /^Bearer/);
      }
  });

  it('refuses a token with no permission, and one with every permission but its own', async () => {
    const empty = await plantToken(hub.database, "'{}'", 'null');
    const others = new Map<string, string>();
    for (const permission of everyPermission) {
      const rest = everyPermission.filter((other) => other !== permission);
      others.set(permission, (await makeToken(hub.process, rest)).text);
    }
    for (const operation of await guarded())
      for (const token of [empty, others.get(operation.permission ?? '') ?? null]) {
        const { status, json } = await knock(hub.process, operation, token);
        assert.equal(status, 403, operation.name);
        assert.equal(json['code'], 'forbidden');
        assert.match(String(json['detail']), new RegExp(`${operation.permission}\\.$`));
      }
  });

  it('lets a token in that has exactly its permission', async () => {
    for (const operation of await guarded()) {
      const { text } = await makeToken(hub.process, [operation.permission ?? '']);
      const { status } = await knock(hub.process, operation, text);
      assert.ok([200, 204, 400, 404].includes(status), `${operation.name}: ${status}`);
    }
  });
});
