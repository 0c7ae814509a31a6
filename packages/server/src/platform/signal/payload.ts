import type { News } from './batch.ts';

/**
 * What travels between nodes: `{"v":1,"from":"<node>","topic":"…","keys":["…"]}`, with `"missed":true` instead of
 * keys when there were too many, and without a topic as a heartbeat. A later format gets another `v`; nodes of
 * two versions share one database during an upgrade, and each passes over what it does not know.
 */
const VERSION = 1;

/** PostgreSQL takes fewer than 8000 bytes. */
export const MOST_BYTES = 7_900;

export interface Message {
  readonly from: string;
  /** Absent in a heartbeat. */
  readonly about?: { readonly topic: string; readonly news: News };
}

export function heartbeat(from: string): string {
  return JSON.stringify({ v: VERSION, from });
}

/** The payloads that carry the topics' news, each short enough for one notification. */
export function encode(from: string, topics: ReadonlyMap<string, News>): string[] {
  return [...topics].flatMap(([topic, news]) => {
    if (news === 'missed') return [JSON.stringify({ v: VERSION, from, topic, missed: true })];
    const write = (keys: readonly string[]) => JSON.stringify({ v: VERSION, from, topic, keys });
    return chunks(news, MOST_BYTES - Buffer.byteLength(write([]))).map(write);
  });
}

/** Cuts keys into lists whose JSON stays within `room` bytes; one empty list where there are none. */
function chunks(keys: Iterable<string>, room: number): string[][] {
  let chunk: string[] = [];
  let used = 0;
  const all = [chunk];
  for (const key of keys) {
    const bytes = Buffer.byteLength(JSON.stringify(key)) + 1;
    if (chunk.length > 0 && used + bytes > room) {
      all.push((chunk = []));
      used = 0;
    }
    chunk.push(key);
    used += bytes;
  }
  return all;
}

/** Reads a payload; nothing if it is none of this version. Anybody in the database can send to the channel. */
export function decode(payload: string): Message | undefined {
  const { v, from, topic, keys, missed } = fieldsOf(payload);
  if (v !== VERSION || typeof from !== 'string') return undefined;
  if (topic === undefined) return { from };
  if (typeof topic !== 'string') return undefined;
  if (missed === true) return { from, about: { topic, news: 'missed' } };
  return isTexts(keys) ? { from, about: { topic, news: new Set(keys) } } : undefined;
}

function fieldsOf(payload: string): Record<string, unknown> {
  try {
    return { ...(JSON.parse(payload) as object | null) };
  } catch {
    return {};
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
