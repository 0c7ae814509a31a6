import type { HttpResponse, Static } from '@linkspan/sdk';
import type { output } from './schemas.ts';

export type Answer = Static<typeof output>;

/** An answer that was read, and the response it was read from. */
export interface Answered {
  readonly output: Answer;
  readonly response: HttpResponse;
}

/** Reads an answer by its content type. What does not hold what it says stays a text: nothing is lost. */
export async function answerOf(response: HttpResponse): Promise<Answered> {
  const bytes = await response.bytes();
  const { status, url, headers } = response;
  const output = {
    status,
    url,
    headers: plain(headers),
    ...bodyOf(bytes, String(headers['content-type'] ?? '')),
  };
  return { output, response };
}

function plain(headers: HttpResponse['headers']): Answer['headers'] {
  const given = Object.entries(headers).filter(
    (entry): entry is [string, string | string[]] => entry[1] !== undefined,
  );
  return Object.fromEntries(given);
}

type Body = Pick<Answer, 'body' | 'bodyFormat'>;

function bodyOf(bytes: Uint8Array, contentType: string): Body {
  if (bytes.length === 0) return { body: null, bodyFormat: 'none' };
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (/^(application|text)\/([a-z0-9.-]+\+)?json$/.test(type)) return jsonOf(bytes);
  if (isText(type)) return { body: textOf(bytes, contentType), bodyFormat: 'text' };
  return { body: Buffer.from(bytes).toString('base64'), bodyFormat: 'base64' };
}

function jsonOf(bytes: Uint8Array): Body {
  const text = new TextDecoder().decode(bytes);
  try {
    return { body: JSON.parse(text), bodyFormat: 'json' };
  } catch {
    return { body: text, bodyFormat: 'text' };
  }
}

function isText(type: string): boolean {
  return (
    type.startsWith('text/') ||
    /^application\/([a-z0-9.-]+\+)?(xml|yaml|x-www-form-urlencoded|javascript|graphql)$/.test(type)
  );
}

function textOf(bytes: Uint8Array, contentType: string): string {
  const charset = /;\s*charset="?([\w:.-]{1,40})"?/i.exec(contentType)?.[1] ?? 'utf-8';
  return decoderFor(charset).decode(bytes);
}

function decoderFor(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset);
  } catch {
    return new TextDecoder();
  }
}
