import { test } from 'node:test';
import { surviveTrouble } from './adoption.testing.ts';

test('no event is lost and no key loses its order when nodes die, stand still and come back', (t) =>
  surviveTrouble(t, 20_000));
