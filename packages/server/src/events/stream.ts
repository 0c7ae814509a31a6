import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { positionText, type LoggedEvent, type Position } from './event.ts';
import type { Leaving } from './slow-reader.ts';
import { readEvents, type EventFilter } from './store.ts';
import type { Wake } from './wake.ts';
import { EVENTS_TOPIC } from './writer.ts';

export interface StreamParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly wake: Wake;
}

export interface StreamOptions {
  readonly tenant: string;
  readonly after: Position;
  readonly filter: EventFilter;
  /** Ends the stream. */
  readonly signal: AbortSignal;
}

/** Events read at once for one reader. */
const PAGE = 100;

/** Milliseconds: between comments that keep the connection; without any signal; while something is held; between pages. */
const HEARTBEAT = 15_000;
const POLL = 5_000;
const HELD = 20;
const LINGER = 20;

/**
 * The tenant's events as server-sent events, from behind a position on and without end. Each carries its position as
 * its id, comments carry how far was looked: whoever comes back with the last id they were given skips nothing and is
 * given nothing twice.
 */
export async function* eventStream(
  { database, clock, wake }: StreamParts,
  { tenant, after, filter, signal }: StreamOptions,
): AsyncGenerator<string, void> {
  let place = after;
  let spoke = clock.now();
  yield `retry: 1000\n${comment('open', place)}`;
  while (!signal.aborted) {
    const { mark } = wake;
    const from = place;
    const { events, through, more, held } = await database.asTenant(tenant, (tx) =>
      readEvents(tx, { tenant, topic: EVENTS_TOPIC, after: from, filter, limit: PAGE }),
    );
    place = through;
    const quiet = clock.now() - spoke >= HEARTBEAT;
    if (events.length > 0 || quiet) {
      spoke = clock.now();
      yield events.length > 0 ? events.map(message).join('') : comment('still here', place);
    }
    if (more) continue;
    await clock.sleep(LINGER, signal);
    await wake.wait(mark, held ? HELD : POLL, signal);
  }
}

/** The last thing a reader is told. */
export function farewell(reason: Leaving): string {
  return `event: closed\ndata: ${JSON.stringify({ reason })}\n\n`;
}

function message({ event, at }: LoggedEvent): string {
  return `id: ${positionText(at)}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** An empty message: it tells nothing, but moves the id the client comes back with. */
function comment(text: string, place: Position): string {
  return `id: ${positionText(place)}\n: ${text}\n\n`;
}
