import { after, before } from 'node:test';
import type { DatabaseTarget } from '../../src/platform/database/index.ts';
import { cloneDatabase } from './database.ts';
import { ADMIN, openPlace, type HubProcess } from './hub-process.ts';

/** A hub and its database, from the first test of a suite to its last. */
export interface SharedHub {
  readonly process: HubProcess;
  readonly database: DatabaseTarget;
}

/** Called in the body of `describe`: one hub for all its tests, whose token is `ADMIN`. */
export function sharedHub(): SharedHub {
  const shared = {} as { -readonly [K in keyof SharedHub]: SharedHub[K] };
  const ends: (() => unknown)[] = [];
  const scope = { after: (work: () => unknown) => void ends.push(work) };
  before(async () => {
    const place = await openPlace(scope);
    shared.database = await cloneDatabase(scope);
    shared.process = await place.start({
      LINKSPAN_DATABASE_URL: shared.database.connectionString ?? '',
      LINKSPAN_ADMIN_TOKEN: ADMIN,
    });
  });
  after(async () => {
    for (const end of ends) await end();
  });
  return shared;
}
