import { defineErrors } from '../platform/errors.ts';

/** Errors of events and their consumers. */
export const eventErrors = defineErrors({
  event_type_refused: {
    status: 403,
    title: 'Events of this type cannot be published from outside',
    retryable: false,
    help: 'Choose a type that begins with "app."; types that begin with "linkspan." are written by the hub alone.',
  },
  event_refused: {
    status: 422,
    title: 'A listener refused what happened, and it was undone',
    retryable: false,
    help: 'The detail names the listener and its reason.',
  },
  event_position_invalid: {
    status: 400,
    title: 'This is no position in the stream of events',
    retryable: false,
    help: 'Send the id of the last event you read as it was given, or none to begin with what happens from now on.',
  },
  event_position_expired: {
    status: 410,
    title: 'The events behind this position have left the log',
    retryable: false,
    help: 'Read the present state of what you follow, then begin the stream without a position.',
  },
  envelope_invalid: {
    status: 422,
    title: 'This is no event of an Open Integration Hub',
    retryable: false,
    help: 'Send headers with a name, a serviceName and a createdAt (milliseconds, or an ISO 8601 text), and a payload.',
  },
  consumer_not_found: {
    status: 404,
    title: 'There is no such consumer',
    retryable: false,
    help: 'List the consumers with GET /api/v1/consumers.',
  },
});
