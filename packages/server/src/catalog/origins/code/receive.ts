import { isUtf8 } from 'node:buffer';
import {
  ActionError,
  type Action,
  type CallbackKind,
  type Delivery,
  type DeliveryAnswer,
  type DeliveryContext,
  type Reaction,
  type Verification,
} from '@linkspan/sdk';
import type { Catalog } from '../../catalog.ts';
import { hubError, type AttemptError } from './outcome.ts';
import { keptDetails, succeeded, threw, type Circumstances } from './settle.ts';
import { visit, type Visit, type VisitParts } from './visit.ts';

/** A delivery to a callback of a call, as the receiver reads it. `input` is JSON text. */
export interface CodeDelivery extends Omit<Delivery, 'text' | 'json'> {
  readonly call: {
    readonly id: string;
    readonly tenant: string;
    readonly principal: string | undefined;
    readonly action: string;
    readonly input: string;
    readonly details: { readonly context?: unknown };
  };
  readonly signal: AbortSignal;
}

/** What comes of a delivery. Redacted. */
export type DeliveryOutcome = { readonly answer?: DeliveryAnswer } & (
  | { readonly kind: 'succeeded'; readonly output: string }
  | { readonly kind: 'failed'; readonly error: AttemptError }
  /** The call waits on. `progress` is JSON text. */
  | { readonly kind: 'waiting'; readonly progress?: string }
  /** The handler broke off: nothing is decided. */
  | { readonly kind: 'fault'; readonly error: AttemptError }
);

/** Hands deliveries to actions that are code. Nothing of it rejects. */
export interface CodeReceiver {
  receive(delivery: CodeDelivery): Promise<DeliveryOutcome>;
  /** What a webhook to this call has to prove; undefined when the action cannot say (any more). */
  verifications(call: CodeDelivery['call']): readonly Verification[] | undefined;
}

export function createCodeReceiver(
  options: VisitParts & { readonly catalog: Pick<Catalog, 'find'> },
): CodeReceiver {
  const { catalog, log } = options;

  async function receive(delivery: CodeDelivery): Promise<DeliveryOutcome> {
    const { call, signal } = delivery;
    const action = catalog.find(call.action);
    if (!action) return { kind: 'fault', error: hubError('no_such_action') };
    const { tenant, principal, id } = call;
    const input: unknown = JSON.parse(call.input);
    const stay = visit(options, action, input, { tenant, principal, call: id }, signal);
    const around = (): Circumstances => ({
      action,
      redactor: stay.redactor,
      aborted: signal.aborted ? String(signal.reason) : undefined,
      touched: false,
    });
    try {
      const handler = handlerOf(action.definition, delivery.kind);
      const ctx = contextOf(delivery, input, stay);
      if (!handler) return succeeded(outputOf(ctx.delivery), around());
      const reaction = await stay.lastWord(() => handler(ctx as never));
      return settled(reaction, around());
    } catch (error) {
      if (error instanceof ActionError) return settled({ fail: error }, around());
      log.error('the handler of a callback failed in a way it does not declare', {
        err: error,
        action: action.id,
        call: id,
      });
      return { kind: 'fault', error: threw(error, around()).error };
    } finally {
      stay.end();
    }
  }

  return {
    receive,
    verifications({ action, input }) {
      const definition = catalog.find(action)?.definition;
      try {
        return definition && (definition.verify?.(JSON.parse(input) as never) ?? []);
      } catch (err) {
        log.error('an action cannot say how its callback is verified', { err, action });
        return undefined;
      }
    },
  };
}

function handlerOf(action: Action, kind: CallbackKind) {
  return kind === 'webhook' ? action.onWebhook?.bind(action) : action.onRedirect?.bind(action);
}

function settled(reaction: Reaction, around: Circumstances): DeliveryOutcome {
  const answer = reaction.answer && { answer: around.redactor.json(reaction.answer) as DeliveryAnswer };
  if ('complete' in reaction) return { ...succeeded(reaction.complete, around), ...answer };
  if ('fail' in reaction) return { kind: 'failed', error: threw(reaction.fail, around).error, ...answer };
  if (reaction.progress === undefined) return { kind: 'waiting', ...answer };
  const progress = JSON.stringify(around.redactor.json(keptDetails(reaction.progress)));
  return { kind: 'waiting', progress, ...answer };
}

function contextOf(delivery: CodeDelivery, input: unknown, { base }: Visit): DeliveryContext {
  const { call, signal: _, ...received } = delivery;
  const text = (): string => Buffer.from(delivery.body).toString('utf8');
  return {
    ...base,
    input,
    call: call.id,
    context: call.details.context,
    delivery: { ...received, text, json: () => parsed(text()) },
    fail: (code, failure) => new ActionError(code, failure),
  };
}

/** A delivery as the output of an action that has no handler for it. */
function outputOf(delivery: Delivery) {
  const { method, headers, query, body } = delivery;
  const bytes = Buffer.from(body);
  if (!isUtf8(bytes)) return { method, headers, query, body: { base64: bytes.toString('base64') } };
  const isJson = /^application\/(?:[\w.-]+\+)?json\b/i.test(headers['content-type'] ?? '');
  return { method, headers, query, body: (isJson ? delivery.json() : undefined) ?? delivery.text() };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
