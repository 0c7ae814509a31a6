import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  defineAction,
  file,
  json,
  object,
  options,
  record,
  secret,
  Type,
  type ActionContext,
} from './index.ts';

/** What must not compile. A line below that does compile makes the type check fail. */

const sound = {
  id: 'find',
  title: 'Find',
  description: 'Finds.',
  input: object({ name: Type.String(), limit: Type.Optional(Type.Integer()) }),
  output: object({ found: Type.Array(Type.String()) }),
  effect: 'read' as const,
  repeat: 'idempotent' as const,
  errors: { not_found: { meaning: 'There is none.', retry: 'permanent' as const } },
  examples: [{ title: 'One', input: { name: 'a' }, output: { found: ['a'] } }],
};

test('input and output follow from the schemas', async () => {
  const action = defineAction({
    ...sound,
    async run(ctx) {
      const name: string = ctx.input.name;
      const limit: number | undefined = ctx.input.limit;
      return { found: [name].slice(0, limit) };
    },
  });
  const ctx = { input: { name: 'a' } } as Parameters<typeof action.run>[0];
  assert.deepEqual(await action.run(ctx), { found: ['a'] });
});

test('what is not there does not compile', () => {
  const wrong = () => [
    defineAction({
      ...sound,
      async run(ctx) {
        // @ts-expect-error: no such field of the input
        return { found: [String(ctx.input.nmae)] };
      },
    }),
    defineAction({
      ...sound,
      // @ts-expect-error: the output is another one
      run: async () => ({ found: 1 }),
    }),
    defineAction({
      ...sound,
      async run(ctx) {
        // @ts-expect-error: this code is not declared
        throw ctx.fail('missing');
      },
    }),
    defineAction({
      ...sound,
      errors: {},
      async run(ctx) {
        // @ts-expect-error: nothing is declared
        throw ctx.fail('not_found');
      },
    }),
    defineAction({
      ...sound,
      // @ts-expect-error: the example has another input
      examples: [{ title: 'x', input: { name: 1 } }],
      run: async () => ({ found: [] }),
    }),
    defineAction({
      ...sound,
      // @ts-expect-error: the example ends with an error that is not declared
      examples: [{ title: 'x', input: { name: 'a' }, error: 'nothing' }],
      run: async () => ({ found: [] }),
    }),
    // @ts-expect-error: there is no such effect
    defineAction({ ...sound, effect: 'none', run: async () => ({ found: [] }) }),
    defineAction({
      ...sound,
      // @ts-expect-error: repeat takes the input of the action
      repeat: (input: { id: number }) => (input.id ? 'never' : 'keyed'),
      run: async () => ({ found: [] }),
    }),
    // @ts-expect-error: an input is an object
    defineAction({ ...sound, input: Type.String(), run: async () => ({ found: [] }) }),
  ];
  assert.equal(typeof wrong, 'function');
});

test('builders and markers keep the type of what they mark', () => {
  const input = object({
    plain: Type.String(),
    key: secret(),
    maybe: Type.Optional(secret(Type.String())),
    late: secret(Type.Optional(Type.String())),
    map: record(Type.Number()),
    content: file(),
    any: json('Any.'),
    city: options(Type.String(), 'cities'),
  });
  type Wanted = {
    plain: string;
    key: string;
    maybe?: string;
    late?: string;
    map: Readonly<Record<string, number>>;
    content: string;
    any: unknown;
    city: string;
  };
  const same = (ctx: ActionContext<typeof input extends infer S ? S : never>): void => void ctx;
  const action = defineAction({
    ...sound,
    input,
    examples: [],
    options: { cities: async ({ prefix }) => ({ items: [{ value: prefix, label: prefix }] }) },
    async run(ctx) {
      const wanted: Wanted = ctx.input;
      return { found: [wanted.plain] };
    },
  });
  assert.equal(typeof same, 'function');
  assert.deepEqual(action.input.required, ['plain', 'key', 'map', 'content', 'any', 'city']);
});
