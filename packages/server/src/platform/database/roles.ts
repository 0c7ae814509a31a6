import type pg from 'pg';
import type { DatabaseRole } from './connection.ts';
import { databaseErrors } from './errors.ts';
import { codeOf } from './faults.ts';

const ROLES: readonly DatabaseRole[] = ['linkspan_api', 'linkspan_hub'];

/**
 * Makes the roles of the hub and lets the owner take them. Roles belong to the whole server, so hubs of other
 * databases may do the same at the same moment: a lost race is looked at again.
 *
 * @throws HubError `database_access_denied` with the statements an administrator has to run.
 */
export async function ensureRoles(client: pg.Client): Promise<void> {
  for (const role of ROLES) {
    for (let tries = 0; !(await mayTake(client, role)); tries++) {
      await makeRole(client, role, tries);
    }
  }
}

/** From version 16 on, who makes a role is a member of it that may not yet take it. */
async function mayTake(client: pg.Client, role: DatabaseRole): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    `select pg_has_role(current_user, oid,
              case when current_setting('server_version_num')::int < 160000 then 'member' else 'set' end) as may
     from pg_roles where rolname = $1`,
    [role],
  );
  return rows[0]?.may === true;
}

/** A concurrent `create role` or `grant` ends in one of these; the work may then be done already. */
const LOST_RACE = new Set(['42710', '23505', 'XX000', '40001']);

async function makeRole(client: pg.Client, role: DatabaseRole, tries: number): Promise<void> {
  try {
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role]);
    if (rowCount === 0) await client.query(`create role ${role} nologin nosuperuser nobypassrls`);
    await client.query(`grant ${role} to current_user`);
  } catch (error) {
    if (codeOf(error) === '42501') throw lacksRoles(error);
    if (!LOST_RACE.has(codeOf(error) ?? '') || tries > 5) throw error;
  }
}

function lacksRoles(cause: unknown): unknown {
  const statements = ROLES.map((role) => `create role ${role} nologin; grant ${role} to <user of the hub>;`);
  return databaseErrors.database_access_denied({
    detail: `The user may not create roles. Let an administrator run: ${statements.join(' ')}`,
    cause,
  });
}
