import { defineAction, object, Type } from '@linkspan/sdk';

export const wait = defineAction({
  id: 'wait',
  title: 'Wait',
  description:
    'Ends after a while. Shows what a call looks like while it runs, when it is cancelled and when it takes too long.',
  input: object({ seconds: Type.Number({ minimum: 0, maximum: 3_600, description: 'How long it waits.' }) }),
  output: object({ seconds: Type.Number() }),
  effect: 'read',
  repeat: 'idempotent',
  errors: {},
  examples: [{ title: 'Two seconds', input: { seconds: 2 }, output: { seconds: 2 } }],
  async run({ input, sleep }) {
    await sleep(input.seconds * 1000);
    return { seconds: input.seconds };
  },
});
