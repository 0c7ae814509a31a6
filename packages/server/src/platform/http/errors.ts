import { defineErrors } from '../errors.ts';

/** Errors of the HTTP surface itself; any route may answer with them. */
export const httpErrors = defineErrors({
  invalid_request: {
    status: 400,
    title: 'The request does not have the shape this route takes',
    retryable: false,
    help: 'Mend every place named in faults; /openapi.json holds the schemas.',
  },
  malformed_request: {
    status: 400,
    title: 'What arrived is not HTTP as the hub reads it',
    retryable: false,
    help: 'Look at the client, or at the proxy in between: the request line, a header or the framing of the body is broken.',
  },
  unauthenticated: {
    status: 401,
    title: 'The request carries no valid token',
    retryable: false,
    help: 'Send the header "Authorization: Bearer <token>". A token may have been revoked or have expired.',
  },
  forbidden: {
    status: 403,
    title: 'The token lacks the permission this takes',
    retryable: false,
    help: 'Ask an administrator for a token with the permission named in detail.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing at this address',
    retryable: false,
    help: 'Addresses are exact: no trailing slash, no doubled slash, no dot segments, lower case. /docs lists them.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The address does not take this method',
    retryable: false,
    help: 'Use one of the methods in the header Allow.',
  },
  request_timeout: {
    status: 408,
    title: 'The request did not arrive in time',
    retryable: true,
    help: 'Send it again, faster or in smaller pieces.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is larger than this route takes',
    retryable: false,
    help: 'Stay below the size named in detail.',
  },
  uri_too_long: {
    status: 414,
    title: 'The address is too long',
    retryable: false,
    help: 'Shorten the path or the query.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body has a media type or an encoding this route does not take',
    retryable: false,
    help: 'Send what detail names, without Content-Encoding.',
  },
  host_not_allowed: {
    status: 421,
    title: 'The hub does not answer under this host name',
    retryable: false,
    help: 'Operators: set LINKSPAN_PUBLIC_URL to the address clients use, or add the name to LINKSPAN_ALLOWED_HOSTS.',
  },
  headers_too_large: {
    status: 431,
    title: 'The headers are too large',
    retryable: false,
    help: 'Keep the headers together below 16 KiB.',
  },
  internal: {
    status: 500,
    title: 'Something went wrong inside the hub',
    retryable: true,
    help: 'The log of the hub tells more under the request id.',
  },
  draining: {
    status: 503,
    title: 'This node is shutting down',
    retryable: true,
    help: 'Send the request again; another node, or this one after its restart, takes it.',
  },
});
