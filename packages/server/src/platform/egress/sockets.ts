import { dial, within, type DialOptions } from './dial.ts';
import { egressErrors, notSent } from './errors.ts';
import type { Egress } from './request.ts';
import { secure } from './tls.ts';
import { readHost } from './url.ts';

/** The part of egress for protocols other than HTTP. `timeoutMs` counts when a request names no time. */
export function socketsOf(dialling: DialOptions, timeoutMs: number): Pick<Egress, 'connect' | 'secure'> {
  return {
    async connect({ host, port, tls, protocols, signal, timeout = timeoutMs, scope = {} }) {
      const to = { host: readHost(host), port: checkedPort(port), kind: 'socket', scope } as const;
      return dial(dialling, {
        to,
        encrypt: tls !== undefined,
        tls: tls === true ? undefined : tls,
        timeoutMs: timeout,
        signal,
        ...(protocols ? { protocols } : {}),
      });
    },
    async secure(socket, { host, tls, protocols, signal, timeout = timeoutMs }) {
      const options = {
        host: readHost(host),
        tls: tls === true ? undefined : tls,
        ...(protocols ? { protocols } : {}),
      };
      return within(dialling.clock, { timeoutMs: timeout, signal }, (ending) =>
        secure(socket, { ...options, signal: ending }),
      );
    },
  };
}

function checkedPort(port: number): number {
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw notSent(egressErrors.egress_bad_url({ detail: 'A port is a number from 1 to 65535.' }));
}
