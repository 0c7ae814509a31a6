import { accessErrors } from './access/index.ts';
import { callbackErrors, callErrors, engineErrors } from './calls/index.ts';
import { catalogErrors } from './catalog/index.ts';
import { eventErrors } from './events/index.ts';
import { databaseErrors } from './platform/database/index.ts';
import { embeddedErrors } from './platform/database/embedded/index.ts';
import { egressErrors } from './platform/egress/index.ts';
import type { ErrorKind, ErrorMaker } from './platform/errors.ts';
import { groupCommitErrors } from './platform/group-commit/index.ts';
import { httpErrors } from './platform/http/index.ts';
import { sealErrors } from './platform/seal/index.ts';

/** Everything anybody may meet, by the part that raises it; a code stands in one part only. */
const parts: readonly Readonly<Record<string, ErrorMaker>>[] = [
  httpErrors,
  accessErrors,
  eventErrors,
  catalogErrors,
  callErrors,
  callbackErrors,
  engineErrors,
  groupCommitErrors,
  egressErrors,
  databaseErrors,
  sealErrors,
  embeddedErrors,
];

export const errorMakers: readonly ErrorMaker[] = parts.flatMap((part) => Object.values(part));

/** What `docs/errors.md` and `/docs/errors` are drawn from. */
export const errorCatalogue: readonly ErrorKind[] = errorMakers.map(({ kind }) => kind);
