import { defineErrors } from '../errors.ts';

/** What can become of a write that shares its commit with others. */
export const groupCommitErrors = defineErrors({
  writes_backed_up: {
    status: 503,
    title: 'More is waiting to be written than the database takes',
    retryable: true,
    help: 'Send the request again after the time in Retry-After. Nothing of it was written.',
  },
  write_not_confirmed: {
    status: 503,
    title: 'The database did not confirm the write in time',
    retryable: true,
    help: 'It may still be written. Send the request again with the same Idempotency-Key to find out.',
  },
});
