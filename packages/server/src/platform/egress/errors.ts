import { defineErrors, HubError } from '../errors.ts';

/** What can go wrong on the way out. `maySent` tells whether the other side may have seen the request. */
export const egressErrors = defineErrors({
  egress_bad_url: {
    status: 400,
    title: 'The address cannot be called',
    retryable: false,
    help: 'Write a plain http or https address: host name or address in its usual form, no user and password, no backslash, no control character. Credentials belong into a connection or a header.',
  },
  egress_bad_request: {
    status: 400,
    title: 'The request cannot be sent as it is',
    retryable: false,
    help: 'The detail names the method, header or body that is wrong. Headers hold no line breaks, and those of the connection itself (Host, Transfer-Encoding, …) are set by the hub.',
  },
  egress_refused: {
    status: 403,
    title: 'The hub does not connect there',
    retryable: false,
    help: 'Private, local and special addresses are refused. An administrator can allow a host, a host:port pair or a range in LINKSPAN_EGRESS_ALLOW; the detail names the entry.',
  },
  egress_dns_failed: {
    status: 502,
    title: 'The host name has no address',
    retryable: true,
    help: 'Check the spelling of the host name. If it is right, the name service of the hub cannot answer for it now.',
  },
  egress_connect_failed: {
    status: 502,
    title: 'The other side cannot be reached',
    retryable: true,
    help: 'Nothing was sent. Check that the service runs, listens on this port, and that a firewall lets the hub through.',
  },
  egress_tls_failed: {
    status: 502,
    title: 'No trusted encrypted connection could be made',
    retryable: false,
    help: 'The detail names the cause. A certificate of a private authority needs that authority (CA) in the connection; the check itself cannot be switched off.',
  },
  egress_proxy_failed: {
    status: 502,
    title: 'The proxy did not let the connection through',
    retryable: true,
    help: 'Nothing was sent. Check the proxy, its credential, and that it allows this address and port.',
  },
  egress_timeout: {
    status: 504,
    title: 'The other side took too long',
    retryable: true,
    help: 'The detail says in which phase: connect (nothing was sent), headers, body, or total. Raise the time only if the service is known to be slow.',
  },
  egress_reset: {
    status: 502,
    title: 'The connection was lost',
    retryable: true,
    help: 'The request may have been received. Repeat it only if it does no harm twice.',
  },
  egress_aborted: {
    status: 503,
    title: 'The request was given up by the hub',
    retryable: true,
    help: 'The call was cancelled, ran out of its time, or the hub is shutting down.',
  },
  egress_response_too_large: {
    status: 502,
    title: 'The answer is too large',
    retryable: false,
    help: 'The detail names the limit. Ask the service for less, page through it, or download it as a file.',
  },
  egress_response_broken: {
    status: 502,
    title: 'The answer cannot be read',
    retryable: true,
    help: 'The other side broke the rules of HTTP or of the compression it declared. The request was received.',
  },
  egress_too_many_redirects: {
    status: 502,
    title: 'The address leads in circles',
    retryable: false,
    help: 'Call the final address directly, or raise the number of redirects that are followed.',
  },
  egress_redirect_refused: {
    status: 502,
    title: 'The redirect is not followed',
    retryable: false,
    help: 'The detail says why. Call the final address directly if you trust it.',
  },
  egress_target_busy: {
    status: 503,
    title: 'Too many requests to this target are under way',
    retryable: true,
    help: 'Nothing was sent. Try again later.',
  },
  egress_target_paused: {
    status: 503,
    title: 'The target is resting after a series of failures',
    retryable: true,
    help: 'Nothing was sent. The hub tries the target again by itself after a pause.',
  },
});

/** Phases of a request that have a time of their own. */
export type Phase = 'connect' | 'headers' | 'body' | 'total';

/** `egress_timeout` in one phase. `ms` is the time that was allowed. */
export function timedOut(phase: Phase, ms: number | undefined, cause?: unknown): HubError {
  const within = ms === undefined ? '' : ` within ${ms} ms`;
  return egressErrors.egress_timeout({ detail: `Phase ${phase} did not end${within}.`, cause });
}

const unsent = new WeakSet<object>();

/** Marks an error as one after which the other side certainly saw nothing. */
export function notSent<E extends HubError>(error: E): E {
  unsent.add(error);
  return error;
}

/** The same error without the mark: an earlier request of the same call was sent. */
export function withoutMark(error: HubError): HubError {
  return unsent.has(error) ? new HubError(error.kind, error.occurrence) : error;
}

/** Whether the other side may have received the request that ended with `error`. True for errors egress does not know. */
export function maySent(error: unknown): boolean {
  return !(typeof error === 'object' && error !== null && unsent.has(error));
}
