import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessPorts } from './operations.ts';
import { beyond, everyGrant, permissionCatalogue, permits } from './permission.ts';
import { accessRoutes } from './routes.ts';

test('a grant permits itself, and the star permits everything', () => {
  assert.equal(permits(new Set(['tokens:read']), 'tokens:read'), true);
  assert.equal(permits(new Set(['tokens:read']), 'tokens:write'), false);
  assert.equal(permits(new Set(['*']), 'tokens:write'), true);
  assert.equal(permits(new Set([]), 'tokens:read'), false);
});

test('nobody hands out more than they hold', () => {
  assert.deepEqual(beyond(new Set(['tokens:read']), ['tokens:read']), []);
  assert.deepEqual(beyond(new Set(['tokens:read']), ['tokens:read', 'tokens:write', '*']), [
    'tokens:write',
    '*',
  ]);
  assert.deepEqual(beyond(new Set(Object.keys(permissionCatalogue)), ['*']), ['*']);
  assert.deepEqual(beyond(new Set(['*']), everyGrant), []);
});

test('every permission of tenants and tokens is asked for by a route', () => {
  const asked = new Set(accessRoutes({} as AccessPorts).map((route) => route.access));
  for (const permission of Object.keys(permissionCatalogue))
    if (/^(tenants|tokens):/.test(permission)) assert.ok(asked.has(permission as never), permission);
});
