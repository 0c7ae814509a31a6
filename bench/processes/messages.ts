/** What one process of a benchmark and its parent say to one another. */

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

export type Reply =
  | { readonly ready: unknown }
  | { readonly told: string }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failed: string };

type Handlers = Readonly<Record<string, (argument: never) => unknown>>;

/** Says that this process is ready, answers its parent from then on, and ends when the parent is gone. */
export function answerParent(ready: unknown, handlers: Handlers = {}): void {
  process.on('disconnect', () => process.exit(1));
  process.on('message', (question: Question) => void answer(question, handlers));
  send({ ready });
}

/** Tells the parent that something has begun or ended. */
export function tellParent(told: string): void {
  send({ told });
}

async function answer({ id, name, argument }: Question, handlers: Handlers): Promise<void> {
  try {
    send({ id, result: await handlers[name]!(argument as never) });
  } catch (error) {
    send({ id, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

function send(reply: Reply): void {
  process.send!(reply);
}
