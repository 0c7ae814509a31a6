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
  call_not_ended: {
    status: 404,
    title: 'The call has no result yet',
    retryable: true,
    help: 'Ask again when it has ended, or start calls with `wait`.',
  },
  call_failed: {
    status: 502,
    title: 'The call failed',
    retryable: false,
    help: 'GET /api/v1/calls/{id} shows its attempts. To do it again, redrive it.',
  },
  call_expired: {
    status: 504,
    title: 'The call ran out of time',
    retryable: false,
    help: 'Its deadline passed, or what it waited for did not come. To do it again, redrive it.',
  },
  call_cancelled: {
    status: 409,
    title: 'The call was cancelled',
    retryable: false,
    help: 'Somebody cancelled it, or a later call of its job took its place. To do it again, redrive it.',
  },
  call_not_held: {
    status: 409,
    title: 'The call is not held',
    retryable: false,
    help: 'Read it again: somebody may have answered before, or it has ended.',
  },
  period_empty: {
    status: 400,
    title: 'The time asked for ends before it begins',
    retryable: false,
    help: 'Let `from` be before `to`.',
  },
  redrive_invalid: {
    status: 400,
    title: 'These calls cannot be redriven like this',
    retryable: false,
    help: 'Name either ids or a filter, and an input for one id only.',
  },
  redrive_not_ended: {
    status: 409,
    title: 'Some of these calls have not ended',
    retryable: false,
    help: 'Wait for their end, or cancel them; calls that are held are answered instead.',
  },
  redrive_changed: {
    status: 409,
    title: 'What would be redriven is not what was confirmed',
    retryable: false,
    help: 'Look again without `confirm`, and confirm the count and the digest of that answer.',
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
