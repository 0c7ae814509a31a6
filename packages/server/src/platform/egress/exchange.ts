import type { Dispatcher, Pool } from 'undici';
import type { Clock, StopTimer } from '../clock.ts';
import type { HubError } from '../errors.ts';
import { egressErrors, notSent, timedOut } from './errors.ts';
import { understood } from './faults.ts';
import { Incoming } from './incoming.ts';
import type { Life } from './life.ts';
import type { EgressLimits, EgressTimeouts } from './limits.ts';

export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The head of an answer, and its bytes as they are on the wire. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ResponseHeaders;
  readonly incoming: Incoming;
}

export interface ExchangeOptions {
  readonly clock: Clock;
  readonly life: Life;
  readonly allowed: EgressTimeouts & EgressLimits;
}

/** Sends one request over a pool and resolves with the head of its answer. Follows nothing, decodes nothing. */
export function exchange(
  pool: Pool,
  request: Dispatcher.DispatchOptions,
  options: ExchangeOptions,
): Promise<Answer> {
  const handler = new Exchange(options, request.method === 'HEAD');
  if (options.life.error) handler.end(options.life.error);
  else {
    pool.dispatch(request, handler);
    handler.dispatched();
  }
  return handler.answer;
}

/** What undici tells about one request. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly answer: Promise<Answer>;
  readonly #options: ExchangeOptions;
  readonly #headOnly: boolean;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: HubError) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #stopConnectTimer: StopTimer | undefined;
  #incoming: Incoming | undefined;
  #bytes = 0;
  #ended = false;

  constructor(options: ExchangeOptions, headOnly: boolean) {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#options = options;
    this.#headOnly = headOnly;
    options.life.begin((error) => this.end(error));
  }

  /** A request that found no free connection has to wait for one; only then does its waiting cost a timer. */
  dispatched(): void {
    if (this.#ended || this.#controller) return;
    const { clock, allowed } = this.#options;
    this.#stopConnectTimer = clock.after(allowed.connect, () =>
      this.end(timedOut('connect', allowed.connect)),
    );
  }

  /** Called when the request is about to be written: from here on the other side may see it. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#stopConnectTimer?.();
    this.#controller = controller;
    if (this.#ended) controller.abort(egressErrors.egress_aborted());
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    if (status < 200 || this.#ended) return;
    this.#incoming = new Incoming({
      pause: () => controller.pause(),
      resume: () => controller.resume(),
      abort: () => this.end(egressErrors.egress_aborted({ detail: 'The answer was not read to its end.' })),
    });
    const length = this.#headOnly ? 0 : Number(headers['content-length'] ?? 0);
    if (length > this.#options.allowed.bytes) return this.end(this.#tooLarge());
    this.#resolve({ status, headers, incoming: this.#incoming });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#options.allowed.bytes) this.end(this.#tooLarge());
    else this.#incoming?.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.life.over();
    this.#incoming?.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.end(understood(error, this.#options.allowed));
  }

  /** Ends the exchange with an error and frees its connection. */
  end(error: HubError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopConnectTimer?.();
    this.#options.life.over();
    if (!this.#controller) notSent(error);
    this.#reject(error);
    this.#incoming?.fail(error);
    this.#controller?.abort(error);
  }

  #tooLarge(): HubError {
    return egressErrors.egress_response_too_large({
      detail: `The body is larger than ${this.#options.allowed.bytes} bytes.`,
    });
  }
}
