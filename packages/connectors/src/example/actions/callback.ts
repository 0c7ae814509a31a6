import {
  defineAction,
  deliveryOutput,
  object,
  secret,
  Type,
  type Reaction,
  type Static,
} from '@linkspan/sdk';

const DAY = 24 * 3_600;

const input = object({
  kind: Type.Optional(Type.Enum(['webhook', 'redirect'], { description: 'Default `webhook`.' })),
  seconds: Type.Optional(
    Type.Integer({ minimum: 1, maximum: DAY, description: 'How long it waits. Default one hour.' }),
  ),
  pause: Type.Optional(
    Type.Number({ minimum: 0, maximum: 60, description: 'Seconds the attempt goes on after it has asked.' }),
  ),
  signingSecret: Type.Optional(
    secret(
      Type.String({ minLength: 1, description: 'Takes in only what is signed with it, in `x-signature`.' }),
    ),
  ),
});

export const callback = defineAction({
  id: 'callback',
  title: 'Wait for a callback',
  description:
    'Asks for a callback named `done` and waits until it is used. GET /api/v1/calls/{id}/callbacks shows its address. A JSON body with `progress` reports, one with `challenge` gets it back, one with `refuse` fails the call, and any other request completes it.',
  input,
  output: deliveryOutput,
  effect: 'write',
  repeat: 'idempotent',
  errors: { refused: { meaning: 'The other side refused.', retry: 'permanent' } },
  examples: [{ title: 'An hour', input: { seconds: 3_600 } }],
  verify({ signingSecret }) {
    if (signingSecret === undefined) return [];
    return [{ scheme: 'hmac', secret: signingSecret, header: 'x-signature', prefix: 'sha256=' }];
  },
  async run(ctx) {
    const { kind = 'webhook', seconds = 3_600, pause = 0 } = ctx.input;
    const ms = seconds * 1_000;
    await ctx.callback('done', { kind, expiresIn: ms });
    if (pause > 0) await ctx.sleep(pause * 1_000);
    throw ctx.wait(ms);
  },
  async onWebhook(ctx): Promise<Reaction<Static<typeof deliveryOutput>>> {
    const said = reading(ctx.delivery.json());
    if (typeof said.pause === 'number') await ctx.sleep(said.pause * 1_000);
    if (said.progress !== undefined) return { wait: true, progress: said.progress };
    if (typeof said.challenge === 'string') return { wait: true, answer: { text: said.challenge } };
    if (said.refuse !== undefined) return { fail: ctx.fail('refused', { details: said.refuse }) };
    const { method, headers, query } = ctx.delivery;
    return { complete: { method, headers, query, body: ctx.delivery.json() ?? ctx.delivery.text() } };
  },
});

type Said = Readonly<Record<'pause' | 'progress' | 'challenge' | 'refuse', unknown>>;

function reading(body: unknown): Partial<Said> {
  return typeof body === 'object' && body !== null ? body : {};
}
