import { MAIN_TENANT } from '../../access/index.ts';
import { recordAudit } from '../../audit/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import type { ErrorMaker, HubError } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { Callback, Refusal } from './callback.ts';
import { callbackErrors } from './errors.ts';

const ERRORS: Readonly<Record<Refusal, ErrorMaker>> = {
  forged: callbackErrors.callback_unknown,
  foreign: callbackErrors.callback_unknown,
  expired: callbackErrors.callback_over,
  late: callbackErrors.callback_over,
  unverified: callbackErrors.callback_unverified,
  full: callbackErrors.callback_full,
};

/** Entries a minute on one node. Anybody may send anything here, and no entry ever leaves the audit. */
const ENTRIES_PER_MINUTE = 120;

export interface Refused {
  readonly reason: Refusal;
  /** Undefined for what is forged: then nothing it says is to be believed. */
  readonly callback: Callback | undefined;
  readonly address: string;
  readonly requestId: string;
}

/** Refuses requests to callbacks: one entry in the audit of whom it concerns, and an error that tells nothing. */
export class Refusals {
  readonly #parts: { readonly database: Database; readonly clock: Clock; readonly log: Log };
  #minute = 0;
  #written = 0;

  constructor(parts: { readonly database: Database; readonly clock: Clock; readonly log: Log }) {
    this.#parts = parts;
  }

  async of(refused: Refused): Promise<HubError> {
    if (this.#mayWrite()) await this.#write(refused);
    else this.#parts.log.warn('a request to a callback was refused', { reason: refused.reason });
    return ERRORS[refused.reason]();
  }

  #mayWrite(): boolean {
    const minute = Math.floor(this.#parts.clock.now() / 60_000);
    if (minute !== this.#minute) [this.#minute, this.#written] = [minute, 0];
    return this.#written++ < ENTRIES_PER_MINUTE;
  }

  async #write({ reason, callback, address, requestId }: Refused): Promise<void> {
    const tenant = callback?.tenant ?? MAIN_TENANT.id;
    await this.#parts.database.asTenant(tenant, (tx) =>
      recordAudit(
        tx,
        { tenant, address, requestId },
        {
          name: 'callback.refuse',
          outcome: 'refused',
          ...(callback && { target: callback.call }),
          changes: { reason, ...(callback && { callback: callback.name }) },
        },
      ),
    );
  }
}
