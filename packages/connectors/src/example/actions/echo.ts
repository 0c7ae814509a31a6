import { defineAction, object, Type } from '@linkspan/sdk';

const message = Type.String({ maxLength: 10_000, description: 'Any text.' });

export const echo = defineAction({
  id: 'echo',
  title: 'Give a message back',
  description: 'Ends at once with the message it was given.',
  input: object({ message }),
  output: object({ message }),
  effect: 'read',
  repeat: 'idempotent',
  errors: {},
  examples: [{ title: 'Hello', input: { message: 'Hello' }, output: { message: 'Hello' } }],
  async run({ input }) {
    return { message: input.message };
  },
});
