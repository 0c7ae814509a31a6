import { defineErrors } from '../platform/errors.ts';

export const catalogErrors = defineErrors({
  connector_not_found: {
    status: 404,
    title: 'There is no such connector',
    retryable: false,
    help: 'GET /api/v1/connectors lists those there are. One that was left out is named in the log of the start.',
  },
  action_not_found: {
    status: 404,
    title: 'There is no such action',
    retryable: false,
    help: 'An action is named connector/action. GET /api/v1/actions lists those there are.',
  },
  options_not_found: {
    status: 404,
    title: 'The field has no list of values',
    retryable: false,
    help: 'Only fields whose schema is marked x-options have one; the marker names it.',
  },
  options_failed: {
    status: 502,
    title: 'The values of the field could not be looked up',
    retryable: true,
    help: 'The detail says why. The field can be filled in by hand.',
  },
});
