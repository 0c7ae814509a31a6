import type { Static, TObject } from 'typebox';
import type { Reaction, Verification } from './callback.ts';
import type { ActionContext, DeliveryContext, OptionsContext, OptionsPage } from './context.ts';
import type { ErrorTable, RetryClass } from './errors.ts';

/** What an action does to the target. A `read` changes nothing; a `destructive` one cannot be taken back. */
export type Effect = 'read' | 'write' | 'destructive';

export const EFFECTS: readonly Effect[] = ['read', 'write', 'destructive'];

/** What an action says of being done twice. */
export type Repeat =
  /** Doing it twice is doing it once. */
  | 'idempotent'
  /** The target recognises `ctx.idempotencyKey`. */
  | 'keyed'
  /** `probe` can tell whether it happened. */
  | 'probed'
  | 'never';

export const REPEATS: readonly Repeat[] = ['idempotent', 'keyed', 'probed', 'never'];

/** Wishes for the policy of the action's calls; what is left out is the hub's default. Times in milliseconds. */
export interface PolicyDefaults {
  /** Attempts in all, the first included. */
  readonly attempts?: number;
  /** Pause before the second attempt. Each further one is `factor` times as long, up to `maxDelay`. */
  readonly delay?: number;
  readonly factor?: number;
  readonly maxDelay?: number;
  /** Share of a pause drawn by chance, 0 to 1. */
  readonly jitter?: number;
  /** No attempt starts when this much has passed since the call was accepted. */
  readonly totalTime?: number;
  /** An attempt that takes longer is aborted. */
  readonly attemptTimeout?: number;
  readonly retryOn?: readonly RetryClass[];
}

/** An input and what comes of it: documentation, and a test of the conformance suite. */
export interface Example<Input = unknown, Output = unknown, Code extends string = string> {
  /** Different for each example of the action. */
  readonly title: string;
  readonly input: Input;
  /** What it gives; left out when it differs each time. */
  readonly output?: Output;
  /** The declared error it ends with instead. */
  readonly error?: Code;
}

/** Whether an attempt that was lost took place. */
export type Probed<Output> =
  { readonly happened: true; readonly output: Output } | { readonly happened: false };

/** A function whose parameter may be narrower than asked for: the hub has checked it by the schema. */
type Checked<Parameter, Result> = { of(parameter: Parameter): Result }['of'];

/** One thing a connector can do. */
export interface Action<
  I extends TObject = TObject,
  O extends TObject = TObject,
  Code extends string = string,
> {
  /** Lower-case letters, digits and hyphens. With the connector's: `connector/action`. */
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly input: I;
  readonly output: O;
  readonly effect: Effect;
  /** May depend on the input, which then has the shape of its schema. */
  readonly repeat: Repeat | Checked<Static<I>, Repeat>;
  /** Every error it may fail with. */
  readonly errors: ErrorTable<Code>;
  /** One at least. */
  readonly examples: readonly Example<Static<I>, Static<O>, NoInfer<Code>>[];
  readonly policy?: PolicyDefaults;
  /**
   * What a call reaches, such as a host: calls of one target share its concurrency, its breaker and its turn. Without it,
   * the connector as a whole.
   */
  target?(input: Static<I>): string;
  /** Look-ups for fields marked with `options`, by the name given there. */
  readonly options?: Readonly<Record<string, Checked<OptionsContext<Static<I>>, Promise<OptionsPage>>>>;
  /**
   * Does it. An undeclared error is a fault of the connector.
   *
   * @throws what `ctx.fail`, `ctx.unknown` and `ctx.wait` make
   */
  run(ctx: ActionContext<Static<I>, Code>): Promise<Static<O>>;
  /** Finds out whether the attempt of the same call that was lost took place. For `repeat: 'probed'`. */
  probe?(ctx: ActionContext<Static<I>, Code>): Promise<Probed<Static<O>>>;
  /**
   * Says what comes of a request to a callback of the kind `webhook`: it is stored by then, and may be handed in again
   * when a node stops meanwhile. Five seconds. Without it the call ends with the request itself, see `deliveryOutput`.
   */
  onWebhook?(ctx: DeliveryContext<Static<I>, Code>): Promise<Reaction<Static<O>>>;
  /** The same for the kind `redirect`. */
  onRedirect?(ctx: DeliveryContext<Static<I>, Code>): Promise<Reaction<Static<O>>>;
  /** What a webhook has to prove before it is taken in: all of these. */
  verify?(input: Static<I>): readonly Verification[];
}

/** Declares an action. What `run` gets and has to give follows from the schemas. */
export function defineAction<I extends TObject, O extends TObject, const Code extends string>(
  action: Action<I, O, Code>,
): Action<I, O, Code> {
  return action;
}
