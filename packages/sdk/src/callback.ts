import type { ActionError } from './errors.ts';
import { json, object, record, Type } from './schema.ts';

/** `webhook`: another system calls it. `redirect`: somebody's browser is sent to it. */
export type CallbackKind = 'webhook' | 'redirect';

export interface CallbackOptions {
  /** Default `webhook`. */
  readonly kind?: CallbackKind;
  /** Milliseconds from the first time it is asked for. Default 7 days, at most 400. */
  readonly expiresIn?: number;
}

/** A request that came to a callback. */
export interface Delivery {
  /** Name of the callback. */
  readonly callback: string;
  readonly kind: CallbackKind;
  readonly method: string;
  /** Names in lower case. Credentials of the sender are left out. */
  readonly headers: Readonly<Record<string, string>>;
  /** A list where a parameter came more than once. */
  readonly query: Readonly<Record<string, string | string[]>>;
  readonly body: Uint8Array;
  /** The peer of the connection. */
  readonly address: string;
  readonly receivedAt: Date;
  /** The body as UTF-8. */
  text(): string;
  /** The body read as JSON; undefined when it is none. */
  json(): unknown;
}

/** What the sender is told. At most one of `json`, `text` and `page`; without any, a receipt. */
export interface DeliveryAnswer {
  /** Default 200. */
  readonly status?: 200 | 201 | 202 | 204 | 303 | 400 | 401 | 403 | 404 | 409 | 422 | 503;
  /**
   * Of these: `content-type`, `location` (http and https), `retry-after`, `x-hook-secret`, `webhook-allowed-origin`,
   * `webhook-allowed-rate`. Others are left out.
   */
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string;
  /** A page for whoever sits before the browser: plain text, shown in the look of the hub. */
  readonly page?: { readonly title: string; readonly text: string };
}

/** What comes of a delivery. Only the first that completes or fails a call does; a call that waits on has used up nothing. */
export type Reaction<Output = unknown> = { readonly answer?: DeliveryAnswer } & (
  | { readonly complete: Output }
  | { readonly fail: ActionError }
  /** A handshake, or a report of progress: JSON that is kept with the delivery. */
  | { readonly wait: true; readonly progress?: unknown }
);

/** How a sender proves who it is. Every header name is read without regard to case. */
export type Verification =
  /** A digest of the body under a shared secret. */
  | {
      readonly scheme: 'hmac';
      readonly secret: string;
      readonly header: string;
      /** Default `sha256`. */
      readonly algorithm?: 'sha256' | 'sha1';
      /** Default `hex`. */
      readonly encoding?: 'hex' | 'base64';
      /** Stands before the digest, such as `sha256=`. */
      readonly prefix?: string;
    }
  /** The scheme of standardwebhooks.com: `webhook-id`, `webhook-timestamp`, `webhook-signature`. */
  | {
      readonly scheme: 'standard-webhooks';
      /** `whsec_` and base64. */
      readonly secret: string;
      /** Seconds a timestamp may be off. Default 300. */
      readonly tolerance?: number;
    }
  | { readonly scheme: 'header'; readonly header: string; readonly value: string }
  /** Addresses (`192.0.2.7`) and ranges (`192.0.2.0/24`). */
  | { readonly scheme: 'addresses'; readonly ranges: readonly string[] };

/** The output of an action without a handler for its callback: the delivery itself. */
export const deliveryOutput = object({
  method: Type.String(),
  headers: record(Type.String()),
  query: record(Type.Union([Type.String(), Type.Array(Type.String())])),
  body: json('JSON where the delivery said it is JSON, else its text; `{base64}` when it is no UTF-8.'),
});
