import { Type } from 'typebox';
import { page, picked } from './list-schemas.ts';
import { closed, END_STATES, nullable } from './schemas.ts';

/** Shapes of what people do about calls that did not end well. */

export const HeldAnswer = Type.Union(
  [
    Type.Object({ answer: Type.Literal('retry', { description: 'Try it again.' }) }, closed),
    Type.Object(
      {
        answer: Type.Literal('fail', { description: 'It did not happen.' }),
        code: Type.String({ pattern: '^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$', maxLength: 100 }),
        message: Type.String({ minLength: 1, maxLength: 1_000 }),
      },
      closed,
    ),
    Type.Object(
      {
        answer: Type.Literal('resolve', { description: 'It happened, and this came of it.' }),
        output: Type.Unknown({ description: 'The output of the call: any JSON.' }),
      },
      closed,
    ),
  ],
  { description: 'What a person found out about a call whose outcome the hub does not know.' },
);

export const RedriveBody = Type.Object(
  {
    ids: Type.Optional(
      Type.Array(Type.String({ format: 'uuid' }), { minItems: 1, maxItems: 1_000, uniqueItems: true }),
    ),
    filter: Type.Optional(
      Type.Object(
        {
          state: Type.Optional(Type.Enum([...END_STATES], { description: '`failed` when it is left out.' })),
          ...picked,
          after: page.after,
        },
        closed,
      ),
    ),
    input: Type.Optional(
      Type.Unknown({ description: 'For one id only: the input of the new call, secrets included.' }),
    ),
    confirm: Type.Optional(
      Type.Object(
        {
          count: Type.Integer({ minimum: 0, maximum: 1_000 }),
          digest: Type.String({ minLength: 1, maxLength: 100 }),
        },
        {
          ...closed,
          description: 'What the same request without `confirm` answered. Without it nothing is started.',
        },
      ),
    ),
  },
  closed,
);

const plan = {
  count: Type.Integer(),
  digest: Type.String({ description: 'Of what would be redriven; to be sent with `confirm`.' }),
  next: nullable(
    Type.String({ description: '`after` for what the filter lets through beyond this request.' }),
  ),
};

export const RedrivePlan = Type.Object({ ...plan, ids: Type.Array(Type.String({ format: 'uuid' })) }, closed);

export const Redriven = Type.Object(
  {
    ...plan,
    calls: Type.Array(
      Type.Object(
        {
          of: Type.String({ format: 'uuid' }),
          id: nullable(Type.String({ format: 'uuid', description: 'The new call.' })),
          problem: nullable(Type.Object({ code: Type.String(), detail: Type.String() }, closed)),
        },
        closed,
      ),
    ),
  },
  closed,
);
