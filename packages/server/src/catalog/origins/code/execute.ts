import {
  ActionError,
  TransportError,
  UnknownOutcome,
  Waiting,
  type ActionContext,
  type CallbackOptions,
  type PolicyDefaults,
  type Repeat,
} from '@linkspan/sdk';
import type { CatalogAction } from '../../action.ts';
import type { Catalog } from '../../catalog.ts';
import { hubError, type AttemptOutcome } from './outcome.ts';
import { refusedInput, succeeded, threw, type Circumstances } from './settle.ts';
import { visit, type Visit, type VisitParts } from './visit.ts';

/** What the executor reads of an attempt. `input` is JSON text. */
export interface CodeAttempt {
  readonly call: {
    readonly id: string;
    readonly tenant: string;
    readonly principal: string | undefined;
    readonly action: string;
    readonly input: string;
    readonly attempt: number;
    readonly details: { readonly context?: unknown };
  };
  /** Its reason is `timeout` when the attempt's time is up. */
  readonly signal: AbortSignal;
  readonly idempotencyKey: string;
}

/** Makes attempts of actions that are code. Nothing of it rejects. */
export interface CodeExecutor {
  execute(attempt: CodeAttempt): Promise<AttemptOutcome>;
  /** Asks whether the attempt that was lost took place: `succeeded`, `failed` with `not_happened`, or still `unknown`. */
  probe(attempt: CodeAttempt): Promise<AttemptOutcome>;
  /** What an action says of itself; without its input (JSON text), one that depends on it counts as `never`. */
  about(
    action: string,
    input?: string,
  ): { readonly repeatable: Repeat; readonly policy?: PolicyDefaults } | undefined;
}

/** Opens a callback of a call, or finds it opened: its address. Rejects with a TransportError when it cannot be stored. */
export type OpenCallback = (
  call: { readonly tenant: string; readonly id: string },
  name: string,
  options: CallbackOptions,
) => Promise<string>;

export interface CodeExecutorOptions extends VisitParts {
  readonly catalog: Pick<Catalog, 'find'>;
  /** Without it there are no callbacks. */
  readonly openCallback?: OpenCallback;
}

/** One attempt under way. */
interface Running {
  readonly action: CatalogAction;
  readonly attempt: CodeAttempt;
  readonly visit: Visit;
  readonly ctx: ActionContext;
}

export function createCodeExecutor(options: CodeExecutorOptions): CodeExecutor {
  const { catalog, log, openCallback = noCallbacks } = options;

  async function attempted(
    attempt: CodeAttempt,
    work: (running: Running) => Promise<AttemptOutcome>,
  ): Promise<AttemptOutcome> {
    const { call, signal } = attempt;
    const action = catalog.find(call.action);
    if (!action) return { kind: 'failed', error: hubError('no_such_action') };
    const input = parsed(call.input);
    const { id, tenant, principal } = call;
    const stay = visit(options, action, input, { tenant, principal, call: id }, signal);
    try {
      const faults = action.check(input);
      if (faults.length > 0) return refusedInput(faults, stay.redactor);
      return await work({ action, attempt, visit: stay, ctx: contextOf(attempt, input, stay, openCallback) });
    } finally {
      stay.end();
    }
  }

  async function run(running: Running): Promise<AttemptOutcome> {
    const { action, ctx } = running;
    try {
      const output = await running.visit.lastWord(() => action.definition.run(ctx as never));
      return succeeded(output, circumstances(running));
    } catch (error) {
      if (error instanceof Waiting) return waiting(error);
      report(running, error);
      return threw(error, circumstances(running));
    }
  }

  async function ask(running: Running): Promise<AttemptOutcome> {
    const { action, ctx } = running;
    try {
      const found = await running.visit.lastWord(async () => action.definition.probe?.(ctx as never));
      if (found?.happened) return succeeded(found.output, circumstances(running));
      if (found) return { kind: 'failed', error: hubError('not_happened', 'transient') };
      return { kind: 'unknown', error: hubError('outcome_unknown', 'transient') };
    } catch (error) {
      report(running, error);
      // Whatever went wrong, it was the question: the attempt it asks about is as unknown as before.
      return { ...threw(error, circumstances(running)), kind: 'unknown' };
    }
  }

  /** A fault of the connector is for whoever can mend it, so the log has it. */
  function report({ action, attempt }: Running, error: unknown): void {
    if (isFaultless(action, error) || attempt.signal.aborted) return;
    log.error('a connector failed in a way it does not declare', {
      err: error,
      action: action.id,
      call: attempt.call.id,
    });
  }

  return {
    execute: (attempt) => attempted(attempt, run),
    probe: (attempt) => attempted(attempt, ask),
    about(name, input) {
      const action = catalog.find(name);
      return (
        action && { repeatable: repeatOf(action, input), ...(action.policy && { policy: action.policy }) }
      );
    },
  };
}

const noCallbacks: OpenCallback = async () => {
  throw new TransportError('callback_unavailable', {
    message: 'This hub takes no callbacks.',
    retry: 'permanent',
    maySent: false,
  });
};

const LONGEST_WAIT = 400 * 24 * 3_600_000;

function waiting({ forAtMost }: Waiting): AttemptOutcome {
  if (!(forAtMost > 0)) return { kind: 'failed', error: hubError('connector_fault') };
  return { kind: 'waiting', forAtMost: Math.min(Math.ceil(forAtMost), LONGEST_WAIT) };
}

function contextOf(
  { call, idempotencyKey }: CodeAttempt,
  input: unknown,
  { base }: Visit,
  openCallback: OpenCallback,
): ActionContext {
  return {
    ...base,
    input,
    call: call.id,
    attempt: call.attempt,
    idempotencyKey,
    context: call.details.context,
    fail: (code, failure) => new ActionError(code, failure),
    unknown: (failure) => new UnknownOutcome(failure),
    callback: (name, options = {}) => openCallback(call, name, options),
    wait: (ms) => new Waiting(ms),
  };
}

function circumstances({
  action,
  attempt: { signal },
  visit: { outside, redactor },
}: Running): Circumstances {
  return {
    action,
    redactor,
    aborted: signal.aborted ? String(signal.reason) : undefined,
    touched: outside.touched(),
  };
}

function isFaultless(action: CatalogAction, error: unknown): boolean {
  if (error instanceof ActionError) return Object.hasOwn(action.errors, error.code);
  return error instanceof TransportError || error instanceof UnknownOutcome;
}

function repeatOf(action: CatalogAction, input: string | undefined): Repeat {
  if (action.repeats !== 'depends') return action.repeats;
  return input === undefined ? 'never' : action.repeat(parsed(input));
}

/** Undefined when it is no JSON, which no schema takes. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
