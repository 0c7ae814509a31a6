import type { Clock, StopTimer } from '../clock.ts';
import type { HubError } from '../errors.ts';
import { egressErrors, timedOut } from './errors.ts';

/**
 * The life of one request, over all its redirects and the body of its answer. Its caller or its total time may end it
 * early. It is watched until the request is answered or failed and the last exchange is over.
 */
export class Life {
  /** Why it ended early. */
  error: HubError | undefined;
  #onEnd: ((error: HubError) => void) | undefined;
  #answered = false;
  readonly #stopTimer: StopTimer;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;

  constructor(clock: Clock, totalMs: number, signal: AbortSignal | undefined) {
    this.#stopTimer = clock.after(totalMs, () => this.#end(timedOut('total', totalMs)));
    this.#signal = signal;
    if (signal === undefined) return;
    this.#onAbort = () => this.#end(egressErrors.egress_aborted({ cause: signal.reason }));
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** An exchange begins; `onEnd` is told when it has to stop. */
  begin(onEnd: (error: HubError) => void): void {
    this.#onEnd = onEnd;
  }

  /** The exchange is over. */
  over(): void {
    this.#onEnd = undefined;
    if (this.#answered) this.#unwatch();
  }

  /** No further exchange begins. */
  answered(): void {
    this.#answered = true;
    if (this.#onEnd === undefined) this.#unwatch();
  }

  #end(error: HubError): void {
    this.#unwatch();
    this.error = error;
    this.#onEnd?.(error);
  }

  #unwatch(): void {
    this.#stopTimer();
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
