import type { IncomingHttpHeaders } from 'node:http';
import type { CodeReceiver, DeliveryOutcome } from '../../catalog/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database, Transaction } from '../../platform/database/index.ts';
import { newId } from '../../platform/ids.ts';
import type { Log } from '../../platform/log.ts';
import type { Place, Sealer } from '../../platform/seal/index.ts';
import type { Answer as EngineAnswer, Engine } from '../engine/index.ts';
import { openSecrets } from '../secret-input.ts';
import type { Addresses } from './address.ts';
import { answerOf, type Answer } from './answer.ts';
import { refusalOf, type Callback, type DeliveryState, type Refusal } from './callback.ts';
import { packed, readQuery, shownHeaders, unpacked } from './content.ts';
import { callbackErrors } from './errors.ts';
import { Refusals } from './refusals.ts';
import * as store from './store.ts';
import { isVerified, secretHeaders } from './verification.ts';

export interface ReceptionParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly sealer: Sealer;
  readonly addresses: Addresses;
  readonly receiver: CodeReceiver;
  readonly engine: () => Pick<Engine, 'answer'>;
}

/** A request to a callback. */
export interface Incoming {
  readonly token: string;
  readonly method: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly address: string;
  readonly requestId: string;
}

/** Milliseconds a handler has. */
const HANDLER_TIME = 5_000;
/** Milliseconds a delivery is its handler's alone: longer than that one may take. */
const LEASE = 6_000;
/** Milliseconds the sender of a duplicate waits for the handler of the first. */
const PATIENCE = 5_500;
const LOOK_AGAIN = 50;
/** Tries of a handler before only the sender, or a person, hands the delivery in again. */
const MOST_TRIES = 3;

/**
 * Takes in what comes to callbacks (promise 4).
 *
 * 1. A delivery is stored, in a transaction of its own, before its handler runs; it is its handler's under a lease, and
 *    what a handler decided after its lease was another's is dropped.
 * 2. What it decided is stored before the call moves. The call is moved by the engine, under the epoch of its wait: of
 *    any number of decisions one does. A decision for a call that does not wait yet is kept.
 * 3. A duplicate is the same row, and so has the same answer.
 */
export class Reception {
  readonly #parts: ReceptionParts;
  readonly #refusals: Refusals;

  constructor(parts: ReceptionParts) {
    this.#parts = parts;
    this.#refusals = new Refusals(parts);
  }

  /** What the sender is told. Fails with the errors of callbacks. */
  async receive(incoming: Incoming): Promise<Answer> {
    const callback = this.#parts.addresses.read(incoming.token);
    const refuse = (reason: Refusal) => this.#refusals.of({ ...incoming, reason, callback });
    if (!callback) throw await refuse('forged');
    const digest = this.#digestOf(incoming);
    const found = await this.#find(callback, digest);
    if (!found.call || found.known.callback?.kind !== callback.kind) throw await refuse('foreign');
    if (!(await this.#proves(callback, found.call, incoming))) throw await refuse('unverified');
    const refusal = found.duplicate ? undefined : refusalOf(callback, found.known, this.#parts.clock.now());
    if (refusal) throw await refuse(refusal);
    const delivery = found.duplicate ?? (await this.#store(callback, digest, incoming));
    await this.handle(callback, delivery.id, ['received', 'failed']);
    const settled = await this.#settled(callback, delivery.id);
    if (settled?.state === 'surpassed') throw await refuse('late');
    if (!settled?.answer) throw callbackErrors.callback_unsettled({ retryAfter: 5 });
    const answer = await this.#parts.sealer.open(answerPlace(callback, delivery.id), settled.answer);
    return JSON.parse(answer.toString('utf8')) as Answer;
  }

  /** Has the handler decide about a delivery in one of these states, unless another does; whether it was this one. */
  async handle(callback: Callback, id: string, states: readonly DeliveryState[]): Promise<boolean> {
    const { tenant } = callback;
    const tries = await this.#asTenant(callback, (tx) =>
      store.takeOn(tx, tenant, id, { states, lease: LEASE }),
    );
    if (tries === undefined) return false;
    const decided = await this.#ask(callback, id);
    const written = await this.#asTenant(callback, (tx) => store.decide(tx, tenant, id, tries, decided));
    if (written && decided.outcome !== undefined)
      await this.carryOut({ id, tenant, call: callback.call, outcome: decided.outcome });
    return written;
  }

  /** Continues the call by a decision, if it waits; a decision for a call that has ended is surpassed. */
  async carryOut(kept: {
    readonly id: string;
    readonly tenant: string;
    readonly call: string;
    readonly outcome: string | null;
  }): Promise<void> {
    const { id, tenant, call } = kept;
    const settle = (state: 'continued' | 'surpassed') =>
      this.#parts.database.asTenant(tenant, (tx) => store.settle(tx, tenant, id, state));
    const answer = { ...(JSON.parse(kept.outcome ?? 'null') as EngineAnswer), by: id };
    // A call held because nobody knows whether its attempt took place: who uses its callback knows.
    for (const from of ['waiting', 'held'] as const)
      if (await this.#parts.engine().answer(tenant, call, from, answer)) return settle('continued');
    const now = await this.#parts.database.asTenant(tenant, (tx) => store.readCall(tx, tenant, call));
    // A node may have stopped between the end of the call and the word that it was by this delivery.
    if (now?.state === undefined) await settle(now?.endedBy === id ? 'continued' : 'surpassed');
  }

  /** Carries out what came before the call waited. */
  async carryOutKept({ tenant, id }: { readonly tenant: string; readonly id: string }): Promise<void> {
    const kept = await this.#parts.database.asTenant(tenant, (tx) => store.keptFor(tx, tenant, id));
    for (const decision of kept) await this.carryOut(decision);
  }

  /** Takes up what a node left when it stopped. */
  async takeUp(delivery: store.StoredDelivery): Promise<void> {
    if (delivery.state === 'decided') return this.carryOut(delivery);
    const { tenant, call, id, name, tries } = delivery;
    const callback = await this.#parts.database.asTenant(tenant, (tx) =>
      store.findCallback(tx, tenant, call, name),
    );
    if (!callback) return;
    if (tries < MOST_TRIES) await this.handle(callback, id, ['received']);
    else await this.#asTenant(callback, (tx) => store.decide(tx, tenant, id, tries, { state: 'failed' }));
  }

  #digestOf({ method, query, headers, body }: Incoming): Buffer {
    // A sender that numbers its messages says by that which are the same.
    const said = ['webhook-id', 'content-type'].map((name) => String(headers[name] ?? ''));
    return this.#parts.addresses.digest([method, query, ...said], body);
  }

  #find(callback: Callback, digest: Buffer) {
    const { tenant, call: id, name } = callback;
    return this.#asTenant(callback, async (tx) => {
      const call = await store.readCall(tx, tenant, id);
      const stored = await store.findCallback(tx, tenant, id, name);
      const already = await store.storedFor(tx, id);
      const duplicate = await store.findDuplicate(tx, callback, digest);
      return { call, duplicate, known: { callback: stored, open: call?.state !== undefined, ...already } };
    });
  }

  async #proves(callback: Callback, call: store.CallOfDelivery, incoming: Incoming): Promise<boolean> {
    if (callback.kind === 'redirect') return true; // a browser cannot sign
    const asked = this.#parts.receiver.verifications(await this.#opened(call));
    return asked !== undefined && isVerified(asked, { ...incoming, now: this.#parts.clock.now() });
  }

  async #store(callback: Callback, digest: Buffer, incoming: Incoming): Promise<{ readonly id: string }> {
    const { method, address, body } = incoming;
    const id = newId();
    const content = await this.#parts.sealer.seal(contentPlace(callback, id), packed(incoming));
    return this.#asTenant(callback, async (tx) => {
      await store.insertDelivery(tx, callback, { id, digest, method, address, size: body.length, content });
      // A second statement: the row of whoever came first is invisible to the snapshot of the insert.
      return (await store.findDuplicate(tx, callback, digest)) ?? { id };
    });
  }

  async #ask(callback: Callback, id: string): Promise<store.Decided> {
    const { tenant, call: callId } = callback;
    const { delivery, call } = await this.#asTenant(callback, async (tx) => ({
      delivery: await store.readDelivery(tx, tenant, id),
      call: await store.readCall(tx, tenant, callId),
    }));
    if (!delivery || call?.state === undefined) return { state: 'surpassed' };
    const outcome = await this.#handled(callback, delivery, await this.#opened(call));
    return this.#decidedOf(callback, delivery, outcome);
  }

  async #handled(
    callback: Callback,
    delivery: store.WholeDelivery,
    call: store.CallOfDelivery,
  ): Promise<DeliveryOutcome> {
    const { clock, receiver, sealer } = this.#parts;
    const { query, headers, body } = unpacked(
      await sealer.open(contentPlace(callback, delivery.id), delivery.content),
    );
    const { method, address, receivedAt } = delivery;
    const abort = new AbortController();
    const stop = clock.after(HANDLER_TIME, () => abort.abort('timeout'));
    const outcome = await receiver.receive({
      call,
      callback: callback.name,
      kind: callback.kind,
      method,
      address,
      receivedAt,
      body,
      query: readQuery(query),
      headers: shownHeaders(headers, secretHeaders(receiver.verifications(call) ?? [])),
      signal: abort.signal,
    });
    stop();
    return outcome;
  }

  async #decidedOf(
    callback: Callback,
    { id, digest }: store.WholeDelivery,
    outcome: DeliveryOutcome,
  ): Promise<store.Decided> {
    if (outcome.kind === 'fault') return { state: 'failed' };
    const receipt = this.#parts.addresses.receipt(callback, id, digest);
    const text = JSON.stringify(answerOf(outcome.answer, callback.kind, receipt));
    const answer = await this.#parts.sealer.seal(answerPlace(callback, id), text);
    if (outcome.kind === 'waiting')
      return {
        state: 'noted',
        answer,
        ...(outcome.progress !== undefined && { progress: outcome.progress }),
      };
    const { answer: _, ...rest } = outcome;
    return { state: 'decided', answer, outcome: JSON.stringify(rest satisfies EngineAnswer) };
  }

  /** The delivery once nobody works on it, or as it is after a while. */
  async #settled(callback: Callback, id: string): Promise<store.WholeDelivery | undefined> {
    const { clock } = this.#parts;
    for (const until = clock.now() + PATIENCE; ; await clock.sleep(LOOK_AGAIN)) {
      const delivery = await this.#asTenant(callback, (tx) => store.readDelivery(tx, callback.tenant, id));
      if (delivery?.state !== 'received' || clock.now() >= until) return delivery;
    }
  }

  async #opened(call: store.CallOfDelivery): Promise<store.CallOfDelivery> {
    const { sealed } = call.details;
    if (sealed === undefined) return call;
    return {
      ...call,
      input: JSON.stringify(await openSecrets(this.#parts.sealer, call, { input: call.input, sealed })),
    };
  }

  #asTenant<T>({ tenant }: Callback, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#parts.database.asTenant(tenant, work);
  }
}

function contentPlace({ tenant }: Callback, id: string): Place {
  return { scope: tenant, purpose: 'delivery to a callback', record: id };
}

function answerPlace({ tenant }: Callback, id: string): Place {
  return { scope: tenant, purpose: 'answer to a delivery', record: id };
}
