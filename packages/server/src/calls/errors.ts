import { defineErrors } from '../platform/errors.ts';

/** Errors of the call API. */
export const callErrors = defineErrors({
  call_not_found: {
    status: 404,
    title: 'There is no such call in this tenant',
    retryable: false,
    help: 'Check the id. An ended call leaves when its retention is over.',
  },
  call_ended: {
    status: 409,
    title: 'The call has ended already',
    retryable: false,
    help: 'Ended is final. To do it again, start a new call.',
  },
  input_invalid: {
    status: 422,
    title: 'The input does not fit the action',
    retryable: false,
    help: 'Mend every place named in faults; GET /api/v1/actions holds the schema of each action.',
  },
  idempotency_key_reused: {
    status: 409,
    title: 'This Idempotency-Key was used for another request',
    retryable: false,
    help: 'Send the very request the key was first used for, or use a new key.',
  },
  idempotency_key_invalid: {
    status: 400,
    title: 'The Idempotency-Key is not one',
    retryable: false,
    help: 'Use 1 to 255 visible ASCII characters, such as a UUID.',
  },
});
