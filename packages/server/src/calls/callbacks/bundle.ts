import type { CodeReceiver, OpenCallback } from '../../catalog/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import type { Log } from '../../platform/log.ts';
import type { MasterKey, Sealer } from '../../platform/seal/index.ts';
import type { Engine } from '../engine/index.ts';
import { createAddresses } from './address.ts';
import { callbackOpener, type CallbackPorts } from './operations.ts';
import { Reception } from './reception.ts';
import { createCallbackWorker, type CallbackWorker } from './worker.ts';

export interface CallbacksOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly sealer: Sealer;
  readonly master: Pick<MasterKey, 'signingKey'>;
  readonly receiver: CodeReceiver;
  /** Asked for when it is needed: the engine's executor opens callbacks. */
  readonly engine: () => Pick<Engine, 'answer'>;
  /** See `CallbackPorts`. */
  readonly base: () => Promise<string>;
}

/** Callbacks as composition puts them together. */
export interface Callbacks extends CallbackWorker {
  readonly open: OpenCallback;
  readonly ports: CallbackPorts;
}

export function createCallbacks(options: CallbacksOptions): Callbacks {
  const { database, clock, master, base } = options;
  const addresses = createAddresses(master.signingKey('callbacks'));
  const reception = new Reception({ ...options, addresses });
  const ports = { database, addresses, reception, base };
  return { ...createCallbackWorker({ ...options, reception }), open: callbackOpener(ports, clock), ports };
}
