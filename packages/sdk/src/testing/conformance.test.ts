import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActionError, defineAction, defineConnector, object, secret, Type, type Action } from '../index.ts';
import { checkConnector, type ConformanceOptions } from './index.ts';

/** A sound connector, and what each check says when something of it is broken. */

const key = 'x'.repeat(20);

const sound = defineAction({
  id: 'find',
  title: 'Find',
  description: 'Finds.',
  input: object({ name: Type.String(), key: secret() }),
  output: object({ name: Type.String() }),
  effect: 'read',
  repeat: 'idempotent',
  errors: {
    refused: { meaning: 'The target refused.', retry: 'permanent' },
    broken: { meaning: 'The target gave something else.', retry: 'transient' },
  },
  examples: [
    { title: 'One', input: { name: 'a', key }, output: { name: 'A' } },
    { title: 'None', input: { name: 'z', key }, error: 'refused' },
  ],
  async run(ctx) {
    const { name, key: bearer } = ctx.input;
    ctx.log.info(`looking for ${name}`);
    const answer = await ctx.http.request({ url: `https://h/${name}`, headers: { authorization: bearer } });
    if (!answer.ok) throw ctx.fail('refused', { details: { status: answer.status } });
    const body = (await answer.json()) as { name?: unknown } | null;
    if (typeof body?.name !== 'string') throw ctx.fail('broken');
    return { name: body.name };
  },
});

const options: ConformanceOptions = {
  world: ({ url }) => (url === 'https://h/a' ? { json: { name: 'A' } } : { status: 404 }),
  abortWithin: 50,
};

async function found(change: Partial<Record<keyof Action, unknown>>, changed: ConformanceOptions = options) {
  const action = { ...sound, ...change } as unknown as Action;
  const connector = defineConnector({ id: 'test', title: 'T', description: 'D', actions: [action] });
  return checkConnector(connector, changed);
}

const run = sound.run.bind(sound);
type Ctx = Parameters<typeof run>[0];

test('a sound connector passes', async () => assert.deepEqual(await found({}), {}));

const DEFINITION = 'its definition is sound: ids, schemas, secrets, errors, examples';

for (const [what, change, expected] of [
  ['an id', { id: 'Find' }, /id: must be/],
  ['a title', { title: ' ' }, /title: is missing/],
  ['an effect', { effect: 'none' }, /effect: must be/],
  ['a repeat', { repeat: 'often' }, /repeat: must be/],
  ['a probe', { repeat: 'probed' }, /probe: is missing/],
  ['a handler of callbacks', { onWebhook: 'x' }, /onWebhook: must be a function/],
  ['a policy', { policy: { attempts: 0, tries: 3 } }, /policy\.tries: is not known/],
  ['an open schema', { output: Type.Object({ name: Type.String() }) }, /output: is open/],
  ['a schema that is none', { output: object({ name: Type.String({ pattern: '(?=a)' }) }) }, /output: /],
  ['a reference', { output: object({ name: Type.Ref('Other') }) }, /\$ref is not supported/],
  [
    'an unmarked secret',
    { input: object({ name: Type.String(), key: secret(), apiKey: Type.String() }) },
    /looks like a secret/,
  ],
  ['a secret in the output', { output: object({ name: secret() }) }, /may hold no secret/],
  [
    'an options source',
    { input: object({ name: Type.String({ 'x-options': 'names' }), key: secret() }) },
    /options\."names"/,
  ],
  [
    'an error without meaning',
    { errors: { refused: { meaning: '', retry: 'permanent' } } },
    /has no meaning/,
  ],
  [
    'an error with another retry',
    { errors: { refused: { meaning: 'No.', retry: 'maybe' } } },
    /retry must be one of/,
  ],
  [
    'a code',
    { errors: { ...sound.errors, 'Not-Found': { meaning: 'No.', retry: 'permanent' } } },
    /errors\.Not-Found/,
  ],
  ['no examples', { examples: [] }, /examples: there is none/],
  [
    'an example of another shape',
    { examples: [{ title: 'x', input: { name: 1, key } }] },
    /input\/name must be string/,
  ],
  [
    'an example with another output',
    { examples: [{ title: 'x', input: { name: 'a', key }, output: {} }] },
    /output must have/,
  ],
  [
    'an example with an undeclared error',
    { examples: [{ title: 'x', input: { name: 'a', key }, error: 'no' }] },
    /no is not declared/,
  ],
] as const)
  test(`the definition: ${what}`, async () => {
    const faults = await found(change);
    assert.match(JSON.stringify(faults[DEFINITION]), new RegExp(expected.source.replaceAll('"', '\\\\"')));
  });

test('two actions of one id, and no action', async () => {
  const of = (actions: Action[]) =>
    checkConnector({ id: 'test', title: 'T', description: 'D', actions }, options);
  const action = sound as unknown as Action;
  assert.match(String((await of([action, action]))[DEFINITION]), /two of the id find/);
  assert.match(String((await of([]))[DEFINITION]), /there is none/);
});

const EXAMPLES = 'its examples give what they say';

test('an example that gives something else, or ends otherwise', async () => {
  const [one] = sound.examples;
  assert.match(
    String((await found({ examples: [{ ...one, output: { name: 'B' } }] }))[EXAMPLES]),
    /it gives/,
  );
  assert.match(
    String((await found({ examples: [{ title: 'x', input: one?.input, error: 'refused' }] }))[EXAMPLES]),
    /ends with an output/,
  );
  assert.match(
    String((await found({}, { ...options, world: () => undefined }))[EXAMPLES]),
    /does not expect GET/,
  );
  assert.match(
    String((await found({ run: async () => ({ name: 1 }), examples: [one] }))[EXAMPLES]),
    /output\/name must be string/,
  );
});

const ERRORS = 'whatever the outside world does, it fails only with errors it declares';

test('an undeclared error, and one that just happens', async () => {
  const undeclared = await found({
    run: async (ctx: Ctx) => {
      const answer = await ctx.http.request({ url: 'https://h/a' });
      if (!answer.ok) throw new ActionError('other');
      return run(ctx);
    },
  });
  assert.match(String(undeclared[ERRORS]), /everything answers 500: its error other is not declared/);
  const careless = await found({
    run: async (ctx: Ctx) => {
      const answer = await ctx.http.request({ url: `https://h/${ctx.input.name}` });
      if (!answer.ok) throw ctx.fail('refused');
      return { name: ((await answer.json()) as { name: string }).name };
    },
  });
  assert.match(String(careless[ERRORS]), /answers null: it throws what it does not declare: TypeError/);
});

test('an action that goes on after the abort', async () => {
  const examples = sound.examples.slice(0, 1);
  const deaf = await found(
    { examples, run: () => new Promise(() => undefined) },
    { ...options, endWithin: 20 },
  );
  assert.match(String(deaf['it stops when its signal aborts']), /goes on without reaching out 50 ms/);
  assert.match(String(deaf[EXAMPLES]), /does not end within 20 ms/);
  const stubborn = await found({
    examples,
    run: async (ctx: Ctx) => {
      const answer = run(ctx);
      await answer.catch(() => undefined);
      if (ctx.signal.aborted) await new Promise(() => undefined);
      return answer;
    },
  });
  const sleepless = await found({
    examples,
    run: async (ctx: Ctx) => {
      await ctx.sleep(1000).catch(() => new Promise(() => undefined));
      return run(ctx);
    },
  });
  assert.match(String(sleepless['it stops when its signal aborts']), /goes on 50 ms/);
  assert.match(String(stubborn['it stops when its signal aborts']), /goes on 50 ms after the abort/);
});

const SECRETS = 'it repeats no secret in an output, an error or a line of its log';

test('a secret in an output, an error, or the log', async () => {
  const leaking: Record<string, (ctx: Ctx) => Promise<{ name: string }>> = {
    output: async (ctx) => ({ name: ctx.input.key }),
    message: async (ctx) => {
      throw ctx.fail('refused', { message: `not with ${ctx.input.key}` });
    },
    details: async (ctx) => {
      throw ctx.unknown({ details: { with: [ctx.input.key] } });
    },
    log: async (ctx) => {
      ctx.log.warn(`using ${ctx.input.key}`);
      return run(ctx);
    },
  };
  for (const [where, leak] of Object.entries(leaking))
    assert.match(String((await found({ run: leak }))[SECRETS]), /a secret of the input/, where);
});
