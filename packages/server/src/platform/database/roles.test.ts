import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { migrations } from '../../../test/support/test-server.ts';
import { createLog } from '../log.ts';
import type { DatabaseTarget } from './connection.ts';
import { migrate } from './migrate.ts';
import { query } from './query.testing.ts';
import {
  oldest,
  ownPrograms,
  startPlainServer,
  withoutOldest,
  type PlainServer,
} from './plain-server.testing.ts';

const silent = createLog({ level: 'silent' });

async function mayBeTaken(target: DatabaseTarget): Promise<void> {
  for (const role of ['linkspan_api', 'linkspan_hub'] as const)
    assert.deepEqual(await query(target, 'select current_user::text as name', role), [{ name: role }]);
}

for (const [version, programs, skip] of [
  ['of the hub', await ownPrograms(), false],
  ['that is the oldest supported', oldest, withoutOldest],
] as const) {
  describe(`the roles of the hub, on the PostgreSQL ${version}`, { skip }, () => {
    let server: PlainServer;
    let end = async (): Promise<void> => {};
    before(async () => {
      server = await startPlainServer({ after: (work) => void (end = work) }, programs);
    });
    after(() => end());

    /** A new login with a database of its own; the roles are not there yet. */
    async function login(t: TestContext, name: string, rights: string): Promise<DatabaseTarget> {
      await query(server.target, [
        `create role ${name} login ${rights}`,
        `create database ${name} owner ${name}`,
      ]);
      t.after(() => drop(name));
      return { ...server.target, user: name, database: name };
    }

    /** The roles can go with the last database that has them. */
    async function drop(database: string): Promise<void> {
      await query(server.target, `drop database ${database} with (force)`);
      for (const role of ['linkspan_api', 'linkspan_hub'])
        await query(server.target, `drop role if exists ${role}`).catch(() => {});
    }

    it('are made and taken by a login that may make roles', async (t) => {
      const target = await login(t, 'may', 'createrole');
      await migrate(target, migrations, silent);
      await mayBeTaken(target);
    });

    it('are completed when a start ended between making and taking one', async (t) => {
      const target = await login(t, 'half', 'createrole');
      await query(target, 'create role linkspan_api nologin');
      await migrate(target, migrations, silent);
      await mayBeTaken(target);
    });

    it('are asked for, in statements that then suffice, when the login may not make them', async (t) => {
      const target = await login(t, 'maynot', 'nocreaterole');
      const refusal = await migrate(target, migrations, silent).then(
        () => assert.fail('it migrated'),
        (error: Error & { code: string }) => error,
      );
      assert.equal(refusal.code, 'database_access_denied');
      const [, statements = ''] = /run: (.*)$/.exec(refusal.message) ?? [];
      assert.match(statements, /create role linkspan_api nologin/);
      await query(server.target, statements.replaceAll('<user of the hub>', 'maynot'));
      await migrate(target, migrations, silent);
      await mayBeTaken(target);
    });

    it('are shared by databases whose hubs start at the same moment', async (t) => {
      const targets = [
        await login(t, 'left_one', 'createrole superuser'),
        await login(t, 'right_one', 'createrole superuser'),
      ];
      await Promise.all(targets.map((target) => migrate(target, migrations, silent)));
      for (const target of targets) await mayBeTaken(target);
    });

    it('cannot be left: RESET ROLE leads back to them', async (t) => {
      const target = await login(t, 'reset', 'superuser');
      await migrate(target, migrations, silent);
      assert.deepEqual(
        await query(target, ['reset role', 'select current_user::text as name'], 'linkspan_api'),
        [{ name: 'linkspan_api' }],
      );
    });
  });
}
