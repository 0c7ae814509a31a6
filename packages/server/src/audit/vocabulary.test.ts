import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditVocabulary } from './index.ts';

test('every name is one resource and one action, with a sentence that says what happened', () => {
  for (const [name, meaning] of Object.entries(auditVocabulary)) {
    assert.match(name, /^[a-z][a-z-]*\.[a-z][a-z-]*$/);
    assert.match(meaning, /^[A-Z].+\.$/);
  }
});
