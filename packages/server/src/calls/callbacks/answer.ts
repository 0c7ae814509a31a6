import type { DeliveryAnswer } from '@linkspan/sdk';
import { html, page, pagePolicy } from '../../platform/http/index.ts';

/** What the sender of a delivery is told. The same again when the delivery comes again. */
export interface Answer {
  readonly status: Status;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export const STATUSES = [200, 201, 202, 204, 303, 400, 401, 403, 404, 409, 422, 503] as const;
export type Status = (typeof STATUSES)[number];

/** Whatever a handler answers with runs and loads nothing, and is framed by nobody. */
const POLICY = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox";

const HEADERS: ReadonlySet<string> = new Set([
  'content-type',
  'location',
  'retry-after',
  'x-hook-secret',
  'webhook-allowed-origin',
  'webhook-allowed-rate',
]);

const LARGEST = 65_536;

/** Turns the wish of a handler into an answer; what it may not say is left out. `receipt` stands where it says nothing. */
export function answerOf(
  wish: DeliveryAnswer | undefined,
  kind: 'webhook' | 'redirect',
  receipt: string,
): Answer {
  const status = STATUSES.find((known) => known === wish?.status) ?? 200;
  const { headers, body } = contentOf(wish, kind, receipt);
  const allowed = Object.entries(wish?.headers ?? {}).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  return {
    status,
    headers: {
      'content-security-policy': POLICY,
      ...headers,
      ...Object.fromEntries(allowed.filter(([name, value]) => mayBeSaid(name, value))),
      'linkspan-receipt': receipt,
    },
    body: status === 204 || Buffer.byteLength(body) > LARGEST ? '' : body,
  };
}

function contentOf(
  wish: DeliveryAnswer | undefined,
  kind: 'webhook' | 'redirect',
  receipt: string,
): Omit<Answer, 'status'> {
  if (wish?.json !== undefined) return jsonOf(wish.json);
  if (typeof wish?.text === 'string')
    return { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: wish.text };
  if (typeof wish?.page?.title === 'string') return pageOf(wish.page);
  if (kind === 'redirect') return pageOf({ title: 'Thank you', text: 'You may close this window.' });
  return jsonOf({ receipt });
}

const jsonOf = (value: unknown) => ({
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: JSON.stringify(value),
});

function pageOf({ title, text }: { readonly title: string; readonly text: string }) {
  const shown = page(
    title,
    html``,
    html`<h1>${title}</h1>
      <p>${text}</p>`,
  );
  return {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `${pagePolicy}; sandbox`,
    },
    body: shown,
  };
}

function mayBeSaid(name: string, value: unknown): value is string {
  if (!HEADERS.has(name) || typeof value !== 'string' || !/^[\x20-\x7e]{1,2000}$/.test(value)) return false;
  return name !== 'location' || /^https?:\/\//i.test(value);
}
