/** Stands where a secret was. */
export const REDACTED = '[redacted]';

/** Shorter ones are only taken out where they are the whole text: a secret of one letter would shred every text. */
const SHORTEST_WITHIN = 4;

/** Takes secrets out by value, whatever field they turn up in. */
export interface Redactor {
  add(secret: string): void;
  text(text: string): string;
  /** Names of fields as well as values. Leaves the value itself as it is. */
  json(value: unknown): unknown;
}

export function createRedactor(secrets: Iterable<string> = []): Redactor {
  const whole = new Set<string>();
  let within: string[] = [];

  function add(secret: string): void {
    if (secret === '') return;
    whole.add(secret);
    if (secret.length < SHORTEST_WITHIN) return;
    // The longest first, so that one that holds another leaves no rest.
    within = [...new Set([...within, ...disguisesOf(secret)])].sort((a, b) => b.length - a.length);
  }

  function text(value: string): string {
    if (whole.has(value)) return REDACTED;
    return within.reduce((rest, secret) => rest.replaceAll(secret, REDACTED), value);
  }

  function json(value: unknown): unknown {
    if (typeof value === 'string') return text(value);
    if (typeof value === 'number') return whole.has(String(value)) ? REDACTED : value;
    if (Array.isArray(value)) return value.map(json);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [text(name), json(each)]));
  }

  for (const secret of secrets) add(secret);
  return { add, text, json };
}

/** How a secret shows up when it was sent somewhere and comes back. */
function disguisesOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const form = new URLSearchParams([['', secret]]).toString().slice(1);
  return [
    secret,
    bytes.toString('base64'),
    bytes.toString('base64url'),
    JSON.stringify(secret).slice(1, -1),
    form,
    new URL(`x:/?${form.replaceAll('+', '%20')}`).search.slice(1),
  ];
}
