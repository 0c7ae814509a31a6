import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { ADMIN } from './support/hub-process.ts';
import { sharedHub } from './support/shared-hub.ts';

/** What an operator's tools ask of a hub. */

describe('a running hub', () => {
  const hub = sharedHub();

  it('tells that it runs, and that it can serve', async () => {
    assert.deepEqual((await hub.process.ask({ path: '/healthz' })).json, { status: 'ok' });
    const ready = await hub.process.ask({ path: '/readyz' });
    assert.equal(ready.status, 200);
    assert.deepEqual(ready.json, {
      ready: true,
      checks: { database: 'ok', migrations: 'ok', store: 'ok' },
    });
  });

  it('gives its metrics to this machine, and to others for a token with the permission', async () => {
    const scraped = await hub.process.ask({ path: '/metrics' });
    assert.equal(scraped.status, 200);
    assert.match(String(scraped.headers['content-type']), /^text\/plain/);
    assert.match(scraped.text, /^linkspan_database_oldest_transaction_seconds \d/m);
    assert.match(scraped.text, /^linkspan_http_request_duration_seconds_count\{.*route="\/readyz".*\} \d/m);
    assert.match(scraped.text, /^process_resident_memory_bytes \d/m);
    const headers = { 'x-forwarded-for': '192.0.2.7' };
    assert.equal((await hub.process.ask({ path: '/metrics', headers })).status, 401);
    assert.equal((await hub.process.ask({ path: '/metrics', headers, token: ADMIN })).status, 200);
  });

  it('has every metric docs/operation.md tells to look at', async () => {
    const page = await readFile(new URL('../../../docs/operation.md', import.meta.url), 'utf8');
    const named = page.matchAll(/^\| `(linkspan_\w+)` /gm);
    const metrics = (await hub.process.ask({ path: '/metrics' })).text;
    const missing = [...named].filter(([, name]) => !metrics.includes(`# HELP ${name} `));
    assert.deepEqual(
      missing.map(([, name]) => name),
      [],
    );
    assert.match(page, /`linkspan_/);
  });

  it('describes itself to programs and to people', async () => {
    const { json } = await hub.process.ask({ path: '/openapi.json' });
    const { valid, errors } = await new Validator().validate(json);
    assert.ok(valid, JSON.stringify(errors));
    for (const path of ['/docs', '/docs/errors']) {
      const page = await hub.process.ask({ path });
      assert.equal(page.status, 200);
      assert.match(String(page.headers['content-type']), /^text\/html/);
      assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
      assert.match(page.text, /^<!doctype html>/i);
    }
    const docs = (await hub.process.ask({ path: '/docs' })).text;
    for (const path of Object.keys(json['paths'] as object)) {
      const shown = path.replace(/\{(\w+)\}/g, ':$1');
      assert.ok(docs.includes(shown), shown);
    }
  });

  it('leads a request by its id: its own, or the one it was sent', async () => {
    const own = await hub.process.ask({ path: '/api/v1/tokens' });
    assert.match(String(own.headers['x-request-id']), /^[0-9a-f-]{36}$/);
    assert.equal(own.json['requestId'], own.headers['x-request-id']);
    const sent = await hub.process.ask({
      path: '/api/v1/tokens',
      headers: { 'x-request-id': 'sent-by-a-client' },
    });
    assert.equal(sent.headers['x-request-id'], 'sent-by-a-client');
    assert.equal(sent.json['requestId'], 'sent-by-a-client');
  });
});
