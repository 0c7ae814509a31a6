import { defineAction, TransportError, type ActionContext } from '@linkspan/sdk';
import { answerOf, type Answer } from '../answer.ts';
import { examples } from '../examples.ts';
import { failsOn, statusError, statusErrors, type StatusCode } from '../failing.ts';
import { outgoing } from '../outgoing.ts';
import { input, output, type Input } from '../schemas.ts';

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);

type Code = StatusCode | 'response_too_large';

export const request = defineAction({
  id: 'request',
  title: 'Send a request',
  description:
    'Sends one HTTP request and gives back what came: status, headers and body, read by its type. Fails on 4xx and 5xx, unless `failOn` says otherwise.',
  input,
  output,
  effect: 'write',
  repeat: repeatOf,
  errors: {
    ...statusErrors,
    response_too_large: {
      meaning: 'The request was answered, but the answer is larger than `maxResponseBytes`.',
      retry: 'permanent',
    },
  },
  examples,
  target: ({ url }) => URL.parse(url)?.host ?? 'http',
  run: (ctx) => send(ctx),
});

function repeatOf({ method = 'GET', idempotencyHeader }: Input): 'idempotent' | 'keyed' | 'never' {
  if (IDEMPOTENT.has(method)) return 'idempotent';
  return idempotencyHeader === undefined ? 'never' : 'keyed';
}

async function send(ctx: ActionContext<Input, Code>): Promise<Answer> {
  const { failOn } = ctx.input;
  const answer = await ctx.http
    .request(outgoing(ctx))
    .then(answerOf)
    .catch((error: unknown) => {
      if (error instanceof TransportError && error.code === 'egress_response_too_large')
        throw ctx.fail('response_too_large');
      throw error;
    });
  if (failsOn(answer.output.status, failOn)) throw statusError(ctx, answer, repeatOf(ctx.input) !== 'never');
  return answer.output;
}
