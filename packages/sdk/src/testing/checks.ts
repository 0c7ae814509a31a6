import { isDeepStrictEqual } from 'node:util';
import type { Action, Example } from '../action.ts';
import type { Connector } from '../connector.ts';
import { ActionError, TransportError, UnknownOutcome, Waiting } from '../errors.ts';
import { connectorFaults, secretPathsOf, textsAt, withoutMarkers } from '../hub/index.ts';
import { compileSchema } from './compile.ts';
import { replaceAt } from './replace.ts';
import { tryAction, type Trial, type TrialOptions } from './trial.ts';
import { HOSTILE, Unexpected, type World } from './world.ts';

export interface ConformanceOptions extends Pick<TrialOptions, 'sockets' | 'endWithin'> {
  /** What the examples talk to. Left out for a connector that reaches nothing. */
  readonly world?: World;
  /** Milliseconds an action may take to stop once its signal aborted. Default 1,000. */
  readonly abortWithin?: number;
}

/** One check: resolves with what is wrong, in sentences. */
export type Check = (connector: Connector, options: ConformanceOptions) => Promise<string[]>;

const NOTHING: World = () => undefined;
const silent: World = () => new Promise(() => undefined);

export const DEFINITION = 'its definition is sound: ids, schemas, secrets, errors, examples';

/** The conformance suite, by name. */
export const CHECKS = {
  [DEFINITION]: async (connector) => connectorFaults(connector, compileSchema),

  'its examples give what they say': (connector, options) =>
    eachExample(connector, async (action, example) => {
      const trial = await tryAction(action, example.input, { world: NOTHING, ...options });
      return exampleFaults(action, example, trial);
    }),

  'whatever the outside world does, it fails only with errors it declares': (connector, options) =>
    eachExample(connector, async (action, { input }) => {
      const faults: string[] = [];
      for (const [name, world] of Object.entries(HOSTILE)) {
        const trial = await tryAction(action, input, { ...options, world });
        faults.push(...trialFaults(action, trial).map((fault) => `when ${name}: ${fault}`));
      }
      return faults;
    }),

  'it stops when its signal aborts': (connector, options) =>
    eachExample(connector, (action, { input }) => abortFaults(action, input, options)),

  'it repeats no secret in an output, an error or a line of its log': (connector, options) =>
    eachExample(connector, async (action, { input }) => {
      const armed = withCanaries(action, input);
      const canaries = secretPathsOf({ ...action.input }).flatMap((path) => textsAt(armed, path));
      const trials: Trial[] = [];
      for (const world of [options.world ?? NOTHING, ...Object.values(HOSTILE)])
        trials.push(await tryAction(action, armed, { ...options, world }));
      return [...new Set(trials.flatMap((trial) => leaks(trial, canaries)))];
    }),
} as const satisfies Record<string, Check>;

async function eachExample(
  { actions }: Connector,
  check: (action: Action, example: Example) => Promise<string[]>,
): Promise<string[]> {
  const faults: string[] = [];
  for (const action of actions)
    for (const example of action.examples)
      for (const fault of await check(action, example))
        faults.push(`${action.id}, "${example.title}": ${fault}`);
  return faults;
}

function exampleFaults(action: Action, { output, error }: Example, trial: Trial): string[] {
  const faults = trialFaults(action, trial);
  if (faults.length > 0) return faults;
  const ending = trial.kind === 'output' ? 'an output' : endingOf(trial.error);
  if (error !== undefined)
    return ending === error ? [] : [`it should fail with ${error}, and ends with ${ending}`];
  // How a call that waits ends is the word of whoever uses its callback.
  if (trial.kind === 'thrown' && trial.error instanceof Waiting) return [];
  if (trial.kind === 'thrown') return [`it should give an output, and ends with ${ending}`];
  return output === undefined || isDeepStrictEqual(jsonOf(trial.output), jsonOf(output))
    ? []
    : [`it gives ${JSON.stringify(trial.output)}`];
}

/** What no ending of an action may be. */
function trialFaults(action: Action, trial: Trial): string[] {
  if (trial.kind === 'output') {
    const check = compileSchema(withoutMarkers(action.output));
    return check(jsonOf(trial.output)).map(({ path, message }) => `output${path} ${message}`);
  }
  const { error } = trial;
  const ways = [TransportError, UnknownOutcome, Waiting];
  if (ways.some((way) => error instanceof way)) return [];
  if (error instanceof ActionError)
    return Object.hasOwn(action.errors, error.code) ? [] : [`its error ${error.code} is not declared`];
  if (error instanceof Unexpected) return [error.message];
  return [`it throws what it does not declare: ${String(error)}`];
}

function endingOf(error: unknown): string {
  return error instanceof ActionError || error instanceof TransportError ? error.code : String(error);
}

async function abortFaults(action: Action, input: unknown, options: ConformanceOptions): Promise<string[]> {
  const within = options.abortWithin ?? 1_000;
  const abort = new AbortController();
  const { promise: reachedOut, resolve } = Promise.withResolvers<void>();
  const run = tryAction(action, input, {
    ...options,
    endWithin: 3 * within,
    world: silent,
    signal: abort.signal,
    reachedOut: resolve,
  });
  const started = await settledWithin(Promise.race([run, reachedOut]), within);
  abort.abort('cancelled');
  return (await settledWithin(run, within))
    ? []
    : [`it goes on ${started ? '' : 'without reaching out '}${within} ms after the abort`];
}

async function settledWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), ms);
  const settled = await Promise.race([work.then(() => true), promise]);
  clearTimeout(timer);
  return settled;
}

/** The example's input with every secret replaced by one that is told apart from any text, where the schema allows. */
function withCanaries(action: Action, input: unknown): unknown {
  const check = compileSchema(withoutMarkers(action.input));
  let armed = input;
  for (const [at, path] of secretPathsOf({ ...action.input }).entries()) {
    const next = replaceAt(armed, path, () => `canary-${at}-of-the-conformance-suite`);
    if (check(next).length === 0) armed = next;
  }
  return armed;
}

function leaks(trial: Trial, canaries: readonly string[]): string[] {
  const shown = [...trial.log, trial.kind === 'output' ? JSON.stringify(trial.output) : shownOf(trial.error)];
  return canaries.some((canary) => shown.some((text) => text.includes(canary)))
    ? [`a secret of the input is in its ${trial.kind === 'output' ? 'output' : 'error'} or log`]
    : [];
}

function shownOf(error: unknown): string {
  const failure = error instanceof ActionError || error instanceof UnknownOutcome ? error.failure : {};
  return `${String(error)} ${JSON.stringify(failure)}`;
}

/** What is left of a value once it was sent as JSON. */
function jsonOf(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
