import { defineErrors, HubError } from '../../errors.ts';

const ELSEWHERE =
  'Or let LINKSPAN_DATA_DIR name another directory, or LINKSPAN_DATABASE_URL a PostgreSQL of your own.';

/** Why the embedded PostgreSQL cannot serve. All of them end the start of the hub; none reaches a client. */
export const embeddedErrors = defineErrors({
  platform_not_supported: {
    status: 500,
    title: 'There is no embedded PostgreSQL for this machine',
    retryable: false,
    help: 'Let LINKSPAN_DATABASE_URL name a PostgreSQL 15 or later. On Linux (glibc) and macOS, x64 or arm64, install again with optional dependencies.',
  },
  postgres_programs_unusable: {
    status: 500,
    title: 'The PostgreSQL programs that came with the hub do not run here',
    retryable: false,
    help: 'The detail quotes the system: install the library it misses, or allow programs to run from that directory. Or let LINKSPAN_DATABASE_URL name a PostgreSQL of your own.',
  },
  postgres_account_missing: {
    status: 500,
    title: 'PostgreSQL refuses to run as root, and no other account can reach the data directory',
    retryable: false,
    help: 'Let LINKSPAN_DATA_DIR name a directory that other accounts may enter, such as /var/lib/linkspan, or start the hub as an ordinary user that has an entry in /etc/passwd. Or let LINKSPAN_DATABASE_URL name a PostgreSQL of your own.',
  },
  data_directory_unwritable: {
    status: 500,
    title: 'The hub cannot write to its data directory',
    retryable: false,
    help: `Give the account that runs the hub the right to write there. ${ELSEWHERE}`,
  },
  data_directory_not_a_directory: {
    status: 500,
    title: 'Something that is not a directory stands where the data directory should be',
    retryable: false,
    help: `Move that file away. ${ELSEWHERE}`,
  },
  data_directory_foreign: {
    status: 500,
    title: 'The data directory belongs to another account',
    retryable: false,
    help: `Start the hub as that account, or hand the directory over with "chown -R". ${ELSEWHERE}`,
  },
  data_directory_in_use: {
    status: 500,
    title: 'Another hub already uses this data directory',
    retryable: true,
    help: 'Stop the other hub, or let LINKSPAN_DATA_DIR name another directory. Several hubs that shall share one database need LINKSPAN_DATABASE_URL.',
  },
  database_version_unsupported: {
    status: 500,
    title: 'The database in the data directory was made by another major version of PostgreSQL',
    retryable: false,
    help: 'Start the version of the hub that made it, or carry the data over with pg_dump and pg_restore of that version. Or let LINKSPAN_DATA_DIR name another directory.',
  },
  database_damaged: {
    status: 500,
    title: 'The database in the data directory is not complete',
    retryable: false,
    help: 'Restore the whole "postgres" folder of the data directory from one backup. Only if nothing in it is needed: move it away, and the next start makes a new one.',
  },
  database_creation_failed: {
    status: 500,
    title: 'The embedded database could not be created',
    retryable: true,
    help: `The detail quotes what initdb said. Nothing half-made is left behind; start again when the cause is gone. ${ELSEWHERE}`,
  },
  disk_full: {
    status: 507,
    title: 'The disk of the data directory is full',
    retryable: true,
    help: `Make room and start again. A new database takes about 50 MB. ${ELSEWHERE}`,
  },
  postgres_refused_to_start: {
    status: 500,
    title: 'The embedded PostgreSQL ended while it started',
    retryable: true,
    help: `The detail quotes what it said last; LINKSPAN_LOG_LEVEL=debug shows more. ${ELSEWHERE}`,
  },
});

/** The file system's error codes, each with what it means for the data directory. */
const MEANING: Readonly<Record<string, keyof typeof embeddedErrors>> = {
  ENOTDIR: 'data_directory_not_a_directory',
  EEXIST: 'data_directory_not_a_directory',
  ENOSPC: 'disk_full',
  EDQUOT: 'disk_full',
};

/** Puts a failed file operation below `path` into the words of the catalogue. */
export function directoryError(cause: unknown, path: string): HubError {
  if (cause instanceof HubError) return cause;
  const { code, message } = asSystemError(cause);
  const kind = MEANING[code] ?? 'data_directory_unwritable';
  return embeddedErrors[kind]({ detail: `${path}: ${message}`, cause });
}

/** Code and message of whatever was thrown; an empty code if it has none. */
export function asSystemError(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  return { code: (error as NodeJS.ErrnoException).code ?? '', message: error.message };
}

const NO_ROOM = /No space left on device|Disk quota exceeded/;

/** What PostgreSQL says when files of the database are missing or hold something else. */
const DAMAGE =
  /could not (?:locate a valid checkpoint|locate required checkpoint|open (?:file|directory) "(?:base|global|pg_))|could not (?:find the database system|read [^\n]*pg_control)|incorrect checksum in control file|invalid (?:primary )?checkpoint|is not a (?:valid )?database directory|unexpected size|invalid page/i;

/** Puts the last words of a program that failed on the data directory `path` into the words of the catalogue. */
export function programError(
  kind: 'database_creation_failed' | 'postgres_refused_to_start',
  path: string,
  said: string,
): HubError {
  const damaged = kind === 'postgres_refused_to_start' && DAMAGE.test(said);
  const chosen = NO_ROOM.test(said) ? 'disk_full' : damaged ? 'database_damaged' : kind;
  return embeddedErrors[chosen]({ detail: `${path}: ${said.trim() || 'it said nothing'}` });
}
