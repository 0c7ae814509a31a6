import { Type, type Static, type TProperties } from 'typebox';
import { MOST_LAG, type SeekTarget } from './bus/bus.ts';
import { positionText, readPosition, START } from './event.ts';
import { eventErrors } from './errors.ts';
import type { ConsumerState } from './operations.ts';

/** The shapes of events and consumers in the API, and how what is stored becomes one. */

const closed = <P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

const Instant = Type.String({ format: 'date-time' });
/** One line of visible text. */
const line = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\p{Cc}\\p{Cs}]*$', description });
const TypeName = (description: string) =>
  Type.String({
    maxLength: 200,
    pattern: '^[A-Za-z0-9][A-Za-z0-9_-]*(\\.[A-Za-z0-9_-]+)*\\.?$',
    description,
  });
const PositionText = Type.String({
  pattern: '^[0-9]{1,15}\\.[0-9]{1,15}$',
  description: 'The id a message of the stream came with; `0.0` is before everything.',
});

export const EventBody = closed({
  specversion: Type.Optional(Type.Literal('1.0')),
  type: Type.String({
    maxLength: 200,
    pattern: '^[A-Za-z0-9][A-Za-z0-9_-]*(\\.[A-Za-z0-9_-]+)+$',
    description: 'Begins with `app.`.',
  }),
  source: line(500, 'Who says so: a URI or a path of your own.'),
  id: Type.Optional(line(200, 'Tells this event from every other of its source; made when it is left out.')),
  time: Type.Optional(Instant),
  subject: Type.Optional(line(500, 'What the event is about.')),
  partitionkey: Type.Optional(line(500, 'Events of one key stay in order; the subject when it is left out.')),
  correlation: Type.Optional(line(200, 'What belongs together.')),
  causation: Type.Optional(line(200, 'Id of what led to this event.')),
  datacontenttype: Type.Optional(Type.Literal('application/json')),
  dataschema: Type.Optional(line(500, 'URI of the schema of the data.')),
  data: Type.Optional(Type.Unknown({ description: 'Any JSON. Put no secret into it.' })),
});

export const Event = closed({ id: Type.String(), type: Type.String(), time: Type.String() });

export const StreamQuery = closed({
  type: Type.Optional(
    TypeName('A type, or what types lie below: `linkspan.call` takes `linkspan.call.ended`.'),
  ),
  subject: Type.Optional(line(500, 'Events about this alone.')),
  correlation: Type.Optional(line(200, 'Events with this correlation alone.')),
  after: Type.Optional(PositionText),
});

const Partition = closed({
  partition: Type.Integer(),
  position: Type.String(),
  lag: Type.Integer(),
  owned: Type.Boolean({ description: 'Whether a node reads it now.' }),
  blocked: Type.Union([closed({ since: Instant, code: Type.String() }), Type.Null()]),
});

const Consumer = closed({
  name: Type.String(),
  lag: Type.Integer({ description: `Events it has not read, counted up to ${MOST_LAG}.` }),
  retrying: Type.Integer({ description: 'Events put aside that are tried again.' }),
  dead: Type.Integer({ description: 'Events it gave up.' }),
  errors: Type.Array(Type.String(), { description: 'Why it gave events up, the most frequent first.' }),
  partitions: Type.Array(Partition),
});

export const ConsumerList = closed({ items: Type.Array(Consumer) });

export const ConsumerParams = closed({ name: line(200, 'Name of the consumer.') });

export const SeekBody = closed({
  to: Type.Enum(['start', 'end', 'position', 'time']),
  position: Type.Optional(PositionText),
  time: Type.Optional(Instant),
});

export const ReplayBody = closed({
  dryRun: Type.Optional(Type.Boolean({ default: true, description: 'Counts only.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1_000 })),
  code: Type.Optional(line(100, 'Events given up for this reason alone.')),
});

export const Replayed = closed({ count: Type.Integer(), dryRun: Type.Boolean() });

export function shownConsumer({ name, partitions, parked }: ConsumerState): Static<typeof Consumer> {
  return {
    name,
    lag: Math.min(
      MOST_LAG,
      partitions.reduce((sum, { lag }) => sum + lag, 0),
    ),
    retrying: parked.retrying,
    dead: parked.dead,
    errors: [...parked.codes],
    partitions: partitions.map(({ partition, position, lag, owned, blocked }) => ({
      partition,
      position: positionText(position),
      lag,
      owned,
      blocked: blocked ? { since: blocked.since.toISOString(), code: blocked.code } : null,
    })),
  };
}

/** @throws HubError `event_position_invalid` when what `to` needs is missing. */
export function seekTarget({ to, position, time }: Static<typeof SeekBody>): SeekTarget {
  if (to === 'start' || to === 'end') return { to };
  if (to === 'position' && position !== undefined) return { to, position: readPosition(position) ?? START };
  if (to === 'time' && time !== undefined) return { to, time: new Date(time) };
  throw eventErrors.event_position_invalid({ detail: `With "${to}" the body has to say the ${to}.` });
}
