import { test } from 'node:test';
import { surviveTrouble } from './adoption.testing.ts';

test('a million events outlive nodes that die, stand still and come back', (t) =>
  surviveTrouble(t, 1_000_000));
