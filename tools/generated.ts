import { openApiDocument, version } from '../packages/server/src/compose.ts';
import { asyncApiDocument, eventsPage } from '../packages/server/src/events/index.ts';
import { withMigratedDatabase } from './migrated-database.ts';
import { auditPage, configurationPage, errorsPage, permissionsPage } from './pages.ts';
import { dumpSchema } from './schema-dump.ts';
import { tableTypes } from './table-types.ts';

/** A file that is drawn from another source, and how. */
export interface Generated {
  /** From the root. */
  readonly path: string;
  readonly make: () => Promise<string> | string;
}

/** Every generated file. Written by `npm run generate`, compared by `npm run verify`. */
export const generated: readonly Generated[] = [
  { path: 'packages/server/migrations/schema.sql', make: () => withMigratedDatabase(dumpSchema) },
  {
    path: 'packages/server/src/platform/database/tables.ts',
    make: () => withMigratedDatabase(tableTypes),
  },
  { path: 'docs/configuration.md', make: configurationPage },
  { path: 'docs/errors.md', make: errorsPage },
  { path: 'docs/permissions.md', make: permissionsPage },
  { path: 'docs/audit.md', make: auditPage },
  { path: 'docs/events.md', make: eventsPage },
  { path: 'docs/asyncapi.json', make: () => JSON.stringify(asyncApiDocument(version)) },
  { path: 'docs/openapi.json', make: async () => JSON.stringify(await openApiDocument()) },
];
