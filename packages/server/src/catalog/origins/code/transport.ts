import { TransportError, type RetryClass } from '@linkspan/sdk';
import { maySent } from '../../../platform/egress/index.ts';
import { HubError } from '../../../platform/errors.ts';

/** What an error of egress means to a call. Those not named are wrong in themselves, and stay so. */
const RETRY: Readonly<Record<string, RetryClass>> = {
  egress_timeout: 'timeout',
  egress_dns_failed: 'unavailable',
  egress_connect_failed: 'unavailable',
  egress_proxy_failed: 'unavailable',
  egress_target_busy: 'unavailable',
  egress_target_paused: 'unavailable',
  egress_reset: 'transient',
  egress_response_broken: 'transient',
  egress_aborted: 'transient',
};

/** An error of egress as connectors see it. What egress does not know passes as it is. */
function transportError(error: unknown): unknown {
  if (!(error instanceof HubError)) return error;
  const { title } = error.kind;
  const { detail } = error.occurrence;
  return new TransportError(error.code, {
    message: detail === undefined ? `${title}.` : `${title}. ${detail}`,
    retry: RETRY[error.code] ?? 'permanent',
    maySent: maySent(error),
    cause: error,
  });
}

/** Awaits what egress does, with its errors as connectors see them. */
export async function throughEgress<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw transportError(error);
  }
}
