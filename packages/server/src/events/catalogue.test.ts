import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileCheck } from '../platform/schema/index.ts';
import { eventCatalogue, isHubEvent, schemaOf, type EventName } from './catalogue.ts';
import { asyncApiDocument, eventsPage } from './documents.ts';

const names = Object.keys(eventCatalogue) as EventName[];

test('every event has a name below linkspan, a sentence that says when, and an example of its shape', () => {
  for (const name of names) {
    const { when, example, data, version } = eventCatalogue[name];
    assert.match(name, /^linkspan(?:\.[a-z]+){2}$/);
    assert.match(when, /^[A-Z].+\.$/);
    assert.ok(version >= 1);
    assert.deepEqual(compileCheck(data)(example), [], name);
    assert.notDeepEqual(compileCheck(data)({ ...example, more: 1 }), [], name);
    assert.equal(schemaOf(name), `urn:linkspan:event:${name}:${version}`);
  }
  assert.equal(isHubEvent('toString'), false);
});

test('the page tells of every event', () => {
  const page = eventsPage();
  for (const name of names) assert.ok(page.includes(`\n## ${name}\n`), name);
});

test('the AsyncAPI document leads to every message, and every reference somewhere', () => {
  const document = asyncApiDocument('1.2.3');
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!);
  const lost = references.filter((path) => find(document, path) === undefined);
  assert.deepEqual(lost, []);
  for (const name of names) assert.ok(references.includes(`components/messages/${name}`), name);
  assert.equal(document['asyncapi'], '3.0.0');
});

/** Names of events have no slash in them, so a path splits there. */
function find(document: unknown, path: string): unknown {
  return path.split('/').reduce<unknown>((at, part) => (at as Record<string, unknown>)?.[part], document);
}
