import { defineErrors } from '../errors.ts';

/** Errors of the database as callers and operators see them. */
export const databaseErrors = defineErrors({
  database_unavailable: {
    status: 503,
    title: 'The database cannot be reached',
    retryable: true,
    help: 'Send the request again after the time in Retry-After. Operators: check that PostgreSQL runs and that LINKSPAN_DATABASE_URL is right.',
  },
  database_read_only: {
    status: 503,
    title: 'The database accepts no writes',
    retryable: true,
    help: 'Operators: the hub is connected to a standby or to a server set read-only; point LINKSPAN_DATABASE_URL at the primary.',
  },
  database_full: {
    status: 503,
    title: 'The database has no room left',
    retryable: true,
    help: 'Operators: free space on the disk of the database; work resumes by itself.',
  },
  database_busy: {
    status: 503,
    title: 'The database took too long to answer',
    retryable: true,
    help: 'Send the request again after the time in Retry-After. Operators: look at the metric linkspan_database_oldest_transaction_seconds.',
  },
  database_too_old: {
    status: 503,
    title: 'The PostgreSQL server is too old',
    retryable: false,
    help: 'Use PostgreSQL 15 or newer.',
  },
  database_access_denied: {
    status: 503,
    title: 'The database refused the login or lacks a right',
    retryable: false,
    help: 'Check user, password and database name in LINKSPAN_DATABASE_URL; the detail names the missing right.',
  },
  database_newer: {
    status: 503,
    title: 'The database was written by a newer hub',
    retryable: false,
    help: 'Start the version of the hub that migrated it, or a newer one.',
  },
  database_changed: {
    status: 503,
    title: 'A migration that was applied differs from the file of this hub',
    retryable: false,
    help: 'Released migrations never change: restore the file named in the detail, or the database it belongs to.',
  },
});
