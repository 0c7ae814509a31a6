import { defineErrors } from '../../platform/errors.ts';

/** Why the engine takes no call. */
export const engineErrors = defineErrors({
  overloaded: {
    status: 503,
    title: 'The hub has more to write than it can take',
    retryable: true,
    help: 'Send the request again after the time in Retry-After. Nothing of it was written.',
  },
  node_draining: {
    status: 503,
    title: 'This node takes no more calls',
    retryable: true,
    help: 'Send the request again; another node, or this one after its restart, takes it.',
  },
  quota_calls: {
    status: 429,
    title: 'The tenant has used its calls of today',
    retryable: true,
    help: 'Send the request again after the time in Retry-After: days are counted in UTC. Operators: raise LINKSPAN_TENANT_CALLS_PER_DAY.',
  },
  quota_unfinished: {
    status: 429,
    title: 'The tenant has too many calls that have not ended',
    retryable: true,
    help: 'Let calls end, or cancel some that wait or are held. Operators: raise LINKSPAN_TENANT_UNFINISHED.',
  },
  quota_bytes: {
    status: 429,
    title: 'The tenant stores as much as it may',
    retryable: false,
    help: 'What has ended leaves with its retention. Operators: raise LINKSPAN_TENANT_STORED_MEGABYTES.',
  },
});
