import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { CallbackOptions, Delivery } from './callback.ts';
import type { ActionError, Failure, UnknownOutcome, Waiting } from './errors.ts';
import type { Http } from './http.ts';

/** Lines in the hub's log. Secrets of the input are taken out; a line is cut at 1,000 characters. */
export interface ActionLog {
  info(this: void, line: string): void;
  warn(this: void, line: string): void;
}

/** Settings of encryption. Texts are PEM. */
export interface SocketTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

export interface ConnectRequest {
  readonly host: string;
  readonly port: number;
  /** Encrypts from the first byte; `true` for the public authorities. For STARTTLS leave it out and call `secure`. */
  readonly tls?: SocketTls | true;
  /** Milliseconds. */
  readonly timeout?: number;
}

/** The way out of the hub. */
export interface Outside {
  readonly http: Http;
  /** A socket for protocols other than HTTP, checked like every other connection. @throws TransportError */
  connect(this: void, request: ConnectRequest): Promise<Socket>;
  /** Encrypts a socket of `connect` in mid-conversation. @throws TransportError */
  secure(this: void, socket: Socket, options: Omit<ConnectRequest, 'port'>): Promise<TLSSocket>;
}

/** What every function of an action gets. */
export interface BaseContext extends Outside {
  readonly log: ActionLog;
  /** Aborted when the time is up, the call is cancelled or the hub stops. What `ctx` offers ends by itself then. */
  readonly signal: AbortSignal;
  readonly tenant: string;
  /** Id of whoever acts. */
  readonly principal: string | undefined;
  /** Pauses. @throws TransportError when the signal aborts */
  sleep(this: void, ms: number): Promise<void>;
  /** Declares a text that was made from secrets (an encoded password, a session key): it is taken out like them. */
  secret(this: void, text: string): void;
}

/** One attempt of a call. */
export interface ActionContext<Input = unknown, Code extends string = string> extends BaseContext {
  /** Has the shape of the input schema. */
  readonly input: Input;
  /** Id of the call. */
  readonly call: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** The same for every attempt of the call: send it along where the target recognises repeats by it. */
  readonly idempotencyKey: string;
  /** What the caller stored with the call. */
  readonly context: unknown;
  /** Makes an error the action declares: `throw ctx.fail('not_found')`. */
  fail(this: void, code: Code, failure?: Failure): ActionError;
  /** Makes the error that says it may have happened and nobody knows: `throw ctx.unknown()`. */
  unknown(this: void, failure?: Failure): UnknownOutcome;
  /**
   * The address that continues this call from outside, once. It belongs to the call: every attempt that asks for the name
   * (lower-case letters, digits and hyphens) gets the same one. It is stored before this resolves.
   *
   * @throws TransportError `callback_unavailable` when it cannot be stored now
   */
  callback(this: void, name: string, options?: CallbackOptions): Promise<string>;
  /** Makes what ends the attempt as waiting for a callback, `ms` milliseconds at most: `throw ctx.wait(60_000)`. */
  wait(this: void, ms: number): Waiting;
}

/** One delivery, for `onWebhook` and `onRedirect`. */
export interface DeliveryContext<Input = unknown, Code extends string = string> extends BaseContext {
  readonly delivery: Delivery;
  /** What the call was started with. */
  readonly input: Input;
  /** Id of the call. */
  readonly call: string;
  /** What the caller stored with the call. */
  readonly context: unknown;
  /** Makes an error the action declares. Thrown, or as `fail` of a reaction, it ends the call. */
  fail(this: void, code: Code, failure?: Failure): ActionError;
}

/** A look-up while somebody types. */
export interface OptionsContext<Input = unknown> extends BaseContext {
  /** The fields that are filled in so far; any may be missing. */
  readonly input: Partial<Input>;
  /** What was typed. */
  readonly prefix: string;
  /** `next` of the page before. */
  readonly cursor: string | undefined;
}

export interface OptionsPage {
  readonly items: readonly { readonly value: string | number; readonly label: string }[];
  /** Absent on the last page. */
  readonly next?: string;
}
