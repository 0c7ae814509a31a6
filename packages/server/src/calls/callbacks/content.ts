import type { IncomingHttpHeaders } from 'node:http';

/** What a delivery holds, as it came. */
export interface Content {
  /** Without its question mark. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** As bytes: the length of what stands before the body, that as JSON, the body. */
export function packed({ query, headers, body }: Content): Buffer {
  const head = Buffer.from(JSON.stringify({ query, headers }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, body]);
}

export function unpacked(bytes: Buffer): Content {
  const end = 4 + bytes.readUInt32BE(0);
  const head = JSON.parse(bytes.toString('utf8', 4, end)) as Omit<Content, 'body'>;
  return { ...head, body: bytes.subarray(end) };
}

/** Credentials of the sender, or of somebody's browser. */
const NEVER_SHOWN = ['authorization', 'cookie', 'proxy-authorization'];

/** Headers fit for a handler: each one text, and none that is a secret. */
export function shownHeaders(
  headers: IncomingHttpHeaders,
  secrets: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || NEVER_SHOWN.includes(name) || secrets.includes(name)
        ? []
        : [[name, typeof value === 'string' ? value : value.join(', ')]],
    ),
  );
}

/** A query by its names; a list where one came more than once. */
export function readQuery(text: string): Record<string, string | string[]> {
  const values = new Map<string, string | string[]>();
  for (const [name, value] of new URLSearchParams(text)) {
    const before = values.get(name);
    values.set(name, before === undefined ? value : [before, value].flat());
  }
  return Object.fromEntries(values);
}
