import { defineErrors } from '../../platform/errors.ts';

/** What users of callbacks may meet. Toward a sender they tell nothing of the call. */
export const callbackErrors = defineErrors({
  callback_unknown: {
    status: 404,
    title: 'There is no such callback',
    retryable: false,
    help: 'Use the address exactly as it was handed out.',
  },
  callback_over: {
    status: 410,
    title: 'This callback is over',
    retryable: false,
    help: 'It was used before, has expired, or nobody waits for it any more. Nothing was done with this request.',
  },
  callback_unverified: {
    status: 401,
    title: 'The sender did not prove who it is',
    retryable: false,
    help: 'Sign the request as it was agreed, with the agreed secret, and check the clock of the sender.',
  },
  callback_full: {
    status: 429,
    title: 'This callback has received too much',
    retryable: false,
    help: 'A call keeps 1,000 deliveries, and 16 MiB of them. Nothing was done with this request.',
  },
  callback_unsettled: {
    status: 503,
    title: 'The delivery is stored, but not dealt with yet',
    retryable: true,
    help: 'Send it again: it counts once, however often it comes. A person can also have it handed in again.',
  },
  delivery_not_found: {
    status: 404,
    title: 'There is no such delivery',
    retryable: false,
    help: 'GET /api/v1/calls/{id}/deliveries lists those of a call.',
  },
});
