import { Type, type Static, type TSchema } from 'typebox';
import { isEnd, POLICY_BOUNDS } from './engine/index.ts';
import type { StoredAttempt, StoredCall } from './store.ts';

/** Shapes of the call API. */

export const closed = { additionalProperties: false };

const bounded = ([minimum, maximum]: readonly [number, number], description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum, description }));

const Policy = Type.Object(
  {
    attempts: bounded(POLICY_BOUNDS.attempts, 'Attempts in all, the first included.'),
    delay: bounded(POLICY_BOUNDS.delay, 'Milliseconds before the second attempt.'),
    factor: Type.Optional(
      Type.Number({ minimum: 1, maximum: 10, description: 'How much longer each further pause is.' }),
    ),
    maxDelay: bounded(POLICY_BOUNDS.maxDelay, 'Milliseconds the longest pause lasts.'),
    jitter: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: 'Share of a pause that is drawn by chance.' }),
    ),
    totalTime: bounded(POLICY_BOUNDS.totalTime, 'Milliseconds after which no further attempt starts.'),
    attemptTimeout: bounded(POLICY_BOUNDS.attemptTimeout, 'Milliseconds after which an attempt is aborted.'),
    retryOn: Type.Optional(
      Type.Array(Type.Enum(['transient', 'timeout', 'rate_limited', 'unavailable']), {
        uniqueItems: true,
        maxItems: 4,
        description: 'Classes of errors after which it is tried again.',
      }),
    ),
  },
  { ...closed, description: 'What differs from the policy of the action.' },
);

const Job = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 200 }),
    mode: Type.Enum(['enqueue', 'replace', 'if_not_scheduled', 'if_not_running']),
  },
  {
    ...closed,
    description:
      'Treats calls of one key as one job: `replace` cancels what is scheduled, so that only the last one runs; `if_not_scheduled` and `if_not_running` join a call that is.',
  },
);

export const ActionId = Type.String({ pattern: '^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*$', maxLength: 200 });

const YEAR = 365 * 24 * 3_600_000;

export const CallBody = Type.Object(
  {
    action: ActionId,
    input: Type.Unknown({ description: 'What the action takes; its schema is in the catalog.' }),
    policy: Type.Optional(Policy),
    context: Type.Optional(Type.Unknown({ description: 'Kept with the call and given back with its end.' })),
    delay: Type.Optional(Type.Integer({ minimum: 1, maximum: YEAR, description: 'Milliseconds from now.' })),
    deadline: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: YEAR,
        description: 'Milliseconds from now after which it expires.',
      }),
    ),
    retention: Type.Optional(Type.Enum(['brief', 'standard', 'long'])),
    job: Type.Optional(Job),
    wait: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 60,
        description: 'Seconds to wait for the end: an end within them is the answer.',
      }),
    ),
  },
  closed,
);

export const CallParams = Type.Object({ id: Type.String({ format: 'uuid' }) }, closed);

export const END_STATES = ['succeeded', 'failed', 'expired', 'cancelled'] as const;
export const State = Type.Enum(['queued', 'running', 'waiting', 'held', 'cancelling', ...END_STATES]);

const accepted = {
  id: Type.String({ format: 'uuid' }),
  joined: Type.Boolean({ description: 'Whether the call had been accepted before, under the same key.' }),
  links: Type.Object({ self: Type.String(), result: Type.String(), cancel: Type.String() }, closed),
};

export const Accepted = Type.Object(accepted, closed);

const Output = Type.Unknown({ description: 'What the action gave: any JSON.' });

/** Any JSON, said in full: a reply whose schema is empty is refused. */
export const Result = Type.Unsafe<unknown>({
  type: ['object', 'array', 'string', 'number', 'boolean', 'null'],
  additionalProperties: true,
  description: 'What the action gave.',
});

/** The answer to who waited for the end of a call that succeeded. */
export const Succeeded = Type.Object(
  {
    ...accepted,
    output: Output,
    context: Type.Unknown({ description: 'What the call was started with: any JSON.' }),
  },
  closed,
);

export const Cancelled = Type.Object({ id: Type.String({ format: 'uuid' }), state: State }, closed);

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
export const Time = Type.String({ format: 'date-time' });

export const CallErrorShape = Type.Object(
  {
    code: Type.String(),
    message: Type.String(),
    retry: Type.String({ description: 'Class of the error, as far as a retry is concerned.' }),
    retryAfter: Type.Optional(Type.Number({ description: 'Milliseconds.' })),
    details: Type.Optional(Type.Unknown({ description: 'What a program can read of it: any JSON.' })),
  },
  closed,
);

const Attempt = Type.Object(
  {
    attempt: Type.Integer(),
    outcome: Type.String({
      description: '`late` is an outcome that came after the call was another node’s.',
    }),
    startedAt: Time,
    endedAt: Time,
    error: nullable(CallErrorShape),
  },
  closed,
);

export const Call = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    action: Type.String(),
    target: Type.String({ description: 'What it reaches: the unit of limits and fairness.' }),
    state: State,
    reason: nullable(Type.String({ description: 'Why it is held, or how it ended otherwise.' })),
    createdAt: Time,
    deadline: nullable(Time),
    nextAttemptAt: nullable(Time),
    endedAt: nullable(Time),
    run: nullable(Type.String()),
    redriveOf: nullable(Type.String()),
    context: Type.Unknown({ description: 'What the call was started with: any JSON.' }),
    output: Type.Unknown({ description: 'The result once it has succeeded: any JSON.' }),
    error: nullable(CallErrorShape),
    attempts: Type.Array(Attempt),
  },
  closed,
);

/** A call as it is shown. */
export function shownCall(call: StoredCall, attempts: readonly StoredAttempt[]): Static<typeof Call> {
  const last = attempts.findLast(({ outcome }) => outcome !== 'late');
  const state = call.state === 'continuing' ? 'running' : call.state;
  return {
    id: call.id,
    action: call.action,
    target: call.target,
    state,
    reason: call.state === 'continuing' ? null : call.reason,
    createdAt: call.createdAt.toISOString(),
    deadline: call.deadline?.toISOString() ?? null,
    nextAttemptAt: state === 'queued' ? (call.due?.toISOString() ?? null) : null,
    endedAt: call.endedAt?.toISOString() ?? null,
    run: call.run,
    redriveOf: call.details.redriveOf ?? null,
    context: call.details.context ?? null,
    output: state === 'succeeded' ? parsed(last?.output) : null,
    error: isEnd(call.state) && state !== 'succeeded' ? errorOf(last) : null,
    attempts: attempts.map((attempt) => ({
      attempt: attempt.attempt,
      outcome: attempt.outcome,
      startedAt: attempt.startedAt.toISOString(),
      endedAt: attempt.endedAt.toISOString(),
      error: errorOf(attempt),
    })),
  };
}

function errorOf(attempt: StoredAttempt | undefined): Static<typeof CallErrorShape> | null {
  return parsed(attempt?.error) as Static<typeof CallErrorShape> | null;
}

export function parsed(text: string | null | undefined): unknown {
  return text === null || text === undefined ? null : JSON.parse(text);
}
