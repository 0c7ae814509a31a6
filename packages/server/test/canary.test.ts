import assert from 'node:assert/strict';
import { test } from 'node:test';
import { query } from '../src/platform/database/query.testing.ts';
import { until } from '../src/platform/database/embedded/testing.ts';
import { sendRaw } from '../src/platform/http/testing.ts';
import { openPlace, type Env, type HubProcess } from './support/hub-process.ts';
import { startTestServer } from './support/test-server.ts';

const TOKEN = 'canary-token-that-may-never-be-shown';
const PASSWORD = 'canary-password-that-may-never-be-shown';
const KEY = Buffer.from('canary-master-key-of-32-bytes-!!');

/** Every spelling in which one of them could come out. */
const CANARIES = [TOKEN, PASSWORD, KEY.toString(), KEY.toString('base64'), KEY.toString('hex')].flatMap(
  (text) => [text, encodeURIComponent(text), Buffer.from(text).toString('base64').slice(0, -4), hex(text)],
);

function hex(text: string): string {
  return Buffer.from(text).toString('hex');
}

/** Requests that fail in many ways, each with the token where a client might put it. */
async function failAtEverything(hub: HubProcess): Promise<string[]> {
  const json = (body: string) => ({ method: 'POST', path: '/api/v1/tokens', token: TOKEN, body });
  const answers = await Promise.all([
    hub.ask({ path: '/api/v1/tokens', token: `${TOKEN}x` }),
    hub.ask({ path: '/api/v1/tokens', headers: { authorization: `Basic ${TOKEN}` } }),
    hub.ask({ path: '/api/v1/tokens', headers: { authorization: TOKEN } }),
    hub.ask({ path: `/api/v1/tokens/${TOKEN}`, token: TOKEN, method: 'DELETE' }),
    hub.ask({ path: `/api/v1/${TOKEN}`, token: TOKEN }),
    hub.ask({ path: `/api/v1/tokens?limit=${TOKEN}`, token: TOKEN }),
    hub.ask({ path: `/api/v1/tokens?after=${TOKEN}`, token: TOKEN }),
    hub.ask({ path: '/api/v1/tokens', token: TOKEN, headers: { host: `${TOKEN}.example` } }),
    hub.ask({ path: '/api/v1/calls', token: TOKEN, method: 'PATCH' }),
    hub.ask(json(`{"name":"${TOKEN}"`)),
    hub.ask(json(`{"name":"${TOKEN}","name":"${TOKEN}"}`)),
    hub.ask(json(`{"name":["${TOKEN}"],"permissions":["${TOKEN}"],"expiresAt":"${TOKEN}"}`)),
    hub.ask({ ...json('{}'), headers: { 'content-type': `text/${TOKEN}` } }),
    hub.ask({
      method: 'POST',
      path: '/api/v1/tenants',
      token: TOKEN,
      body: JSON.stringify({ name: `${TOKEN}!` }),
    }),
    sendRaw(hub.port, `GET /${TOKEN} HTTP/1.1\r\nHost: localhost\r\nBroken ${TOKEN}\r\n\r\n`),
  ]);
  for (const { status } of answers) assert.ok(status >= 400 && status < 500, `${status}`);
  return answers.map(({ headers, text }) => JSON.stringify(headers) + text);
}

test('credentials of the configuration show up nowhere: log, answers, metrics, documents, database', async (t) => {
  const server = await startTestServer();
  const url = new URL(server.url);
  const place = await openPlace(t); // its hubs end before the server does
  t.after(() => server.stop());
  const setPassword = async (from: URL, password: string): Promise<URL> => {
    await query({ connectionString: from.href }, `alter role ${from.username} password '${password}'`);
    const next = new URL(from);
    next.password = password;
    return next;
  };
  const known = await setPassword(url, PASSWORD);
  const env: Env = {
    LINKSPAN_DATABASE_URL: known.href,
    LINKSPAN_ADMIN_TOKEN: TOKEN,
    LINKSPAN_MASTER_KEY: KEY.toString('base64'),
    LINKSPAN_LOG_LEVEL: 'trace',
  };
  const hub = await place.start(env);
  const seen = await failAtEverything(hub);

  // Something that works and leaves an audit entry; then the database refuses the login under way.
  const body = JSON.stringify({ name: 'made', permissions: ['*'] });
  const made = await hub.ask({ method: 'POST', path: '/api/v1/tokens', token: TOKEN, body });
  assert.equal(made.status, 201);
  for (const path of ['/metrics', '/openapi.json', '/docs', '/docs/errors', '/readyz'])
    seen.push((await hub.ask({ path })).text);
  seen.push(await everythingStored(known));
  const other = await setPassword(known, 'another');
  const cut =
    'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and usename = user';
  await query({ connectionString: other.href }, cut);
  await until('the hub fails', async () => {
    const { status, text } = await hub.ask({ path: '/api/v1/tokens', token: TOKEN });
    seen.push(text);
    return status >= 500;
  });
  seen.push((await hub.ask({ path: '/readyz' })).text, (await hub.ask({ path: '/metrics' })).text);
  const stopped = await hub.end('SIGTERM');
  assert.match(stopped.log, /a request failed/);

  // Starts that fail: the login is refused, the key is another, a value is wrong.
  const right = { ...env, LINKSPAN_DATABASE_URL: other.href };
  const endings = [
    stopped,
    await place.refused(env),
    await place.refused({ ...right, LINKSPAN_MASTER_KEY: Buffer.alloc(32).toString('base64') }),
    await place.refused({
      ...right,
      LINKSPAN_ADMIN_TOKEN: `${TOKEN} with spaces`,
      LINKSPAN_PORT: PASSWORD,
    }),
  ];
  assert.deepEqual(
    endings.map(({ code }) => code),
    [0, 3, 3, 2],
  );
  seen.push(...endings.map(({ out, log }) => out + log));

  const all = seen.join('\n');
  for (const canary of CANARIES) assert.ok(!all.includes(canary), `${canary} was shown`);
});

/** Every row of every table of the hub. */
async function everythingStored(url: URL): Promise<string> {
  const target = { connectionString: url.href };
  const tables = await query<{ name: string }>(
    target,
    `select table_name as name from information_schema.table_privileges
     where table_schema = 'linkspan' and grantee = 'linkspan_hub' and privilege_type = 'SELECT'`,
  );
  assert.ok(tables.some(({ name }) => name === 'audit_entries'));
  const rows: unknown[] = [];
  for (const { name } of tables)
    rows.push(await query(target, `select to_jsonb(t) as row from "${name}" t`, 'linkspan_hub'));
  const text = JSON.stringify(rows);
  assert.ok(text.includes('"made"'), 'the audit tells what was done');
  return text;
}
