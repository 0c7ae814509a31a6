import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { linesOf, openPlace } from './support/hub-process.ts';

// Long, because the embedded PostgreSQL is tried again for a quarter of a minute before the hub gives up.
test('a hub whose embedded PostgreSQL cannot be started again says why, and ends with 1', async (t) => {
  const place = await openPlace(t, { LINKSPAN_SHUTDOWN_GRACE: '1' });
  const hub = await place.start();
  const data = join(place.dataDir, 'postgres', 'data');
  const [pid] = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
  await rm(join(data, 'global', 'pg_control'));
  process.kill(Number(pid), 'SIGKILL');
  const ending = await hub.ended;
  assert.equal(ending.code, 1);
  assert.equal(ending.told, '');
  const last = linesOf(ending.log).find(({ msg }) => msg === 'the hub cannot go on');
  assert.equal((last?.['err'] as { code?: string } | undefined)?.code, 'database_damaged');
});
